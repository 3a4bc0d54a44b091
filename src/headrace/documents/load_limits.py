"""Above which load a server takes no new tunnels: the field `LoadLimits` of its configuration."""

import msgspec

__all__ = ["LoadLimits", "check_load_limits"]


class LoadLimits(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Each limit is for the whole machine, or the server with all its workers; 0 is none."""

    tunnels: int = 0
    load_per_core: float = 0.9  # the average of the last minute
    available_memory_bytes: int | None = None  # at least; None: see `least_memory`
    connecting: int = 100_000  # connections to destinations that are being made
    tracked_connections: float = 0.9  # part of what the kernel's connection tracking can hold
    inbound: float = 0.94  # part of what the interface can receive
    interface_bits_per_second: int = 0  # 0: what it says of itself, at most a gigabit

    def least_memory(self, total: int) -> int:
        """Return the least available memory, in bytes, on a machine that has `total`."""
        if self.available_memory_bytes is not None:
            return self.available_memory_bytes
        return total // 4 if total <= 8 << 30 else 2 << 30


def check_load_limits(limits: LoadLimits) -> str:
    """Return what is wrong with them, for the operator; empty if nothing is."""
    for field in msgspec.structs.fields(LoadLimits):
        value = getattr(limits, field.name)
        if value is not None and value < 0:
            return f"{field.encode_name} {value} is below zero: write zero or more"
    for name, part in (("TrackedConnections", limits.tracked_connections), ("Inbound", limits.inbound)):
        if part > 1:
            return f"{name} {part} is more than there is: write a part, from 0 to 1"
    return ""
