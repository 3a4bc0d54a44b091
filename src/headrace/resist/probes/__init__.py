"""Active probing: connect to a server as a stranger, send anything, and see what it gives away (P1 to P8).

probe        one probe, and what came of it
recording    what a prober may have recorded of a client
kinds, greetings  the probes of each class; first messages of other protocols
wire         sends them to a server, over real sockets
replays      P6 on a clock that is moved: hours pass, workers start again
work         what it costs a server to tell a stranger, and whether one ever passes for a client
verdicts     what the results say: bytes, endings, times, lengths
naive        the control: a server that gives itself away
suite        all of it, as rows of the table
"""

from headrace.resist.probes.probe import Ending, Probe, ProbeResult
from headrace.resist.probes.suite import inner_rows, our_rows, probe_rows, stock_rows
from headrace.resist.probes.verdicts import rows
from headrace.resist.probes.wire import ProbeTarget, run_probes

__all__ = [
    "Ending",
    "Probe",
    "ProbeResult",
    "ProbeTarget",
    "inner_rows",
    "our_rows",
    "probe_rows",
    "rows",
    "run_probes",
    "stock_rows",
]
