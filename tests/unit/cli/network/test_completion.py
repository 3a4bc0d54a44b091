"""Shells complete the command's words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.interop.programs import program
from tests.unit.cli.network.asking import network_command


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_the_command(shell: str) -> None:
    outcome = network_command("completion", shell)
    assert outcome.code == 0
    assert f"_HEADRACE_COMPLETE={shell}_complete" in outcome.out


def test_bash_completes_a_command_by_that_script() -> None:
    script = network_command("completion", "bash").out + (
        "\nCOMP_WORDS=(headrace network simul); COMP_CWORD=2; _headrace_completion headrace"
        '\necho "${COMPREPLY[@]}"\n'
    )
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [program("bash")], input=script, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert (done.stdout, done.stderr) == ("simulate\n", "")
