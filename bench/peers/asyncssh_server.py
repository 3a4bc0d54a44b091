"""An asyncssh server that forwards anywhere: `python -m bench.peers.asyncssh_server PORT CIPHER`."""

import asyncio
import sys

import asyncssh

from headrace.net.loop import run


class Server(asyncssh.SSHServer):
    """Lets in whoever knows the password."""

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == "bench"

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True


async def serve(port: int, cipher: str) -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    await asyncssh.listen(
        "127.0.0.1", port, server_factory=Server, server_host_keys=[key], encryption_algs=[cipher]
    )
    print("READY", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(serve(int(sys.argv[1]), sys.argv[2]))
