"""`headrace network completion`: what makes a shell complete the command's words."""

import click

__all__ = ["completion"]

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print what makes a SHELL complete all commands and options of headrace when Tab is pressed.

    Have the shell read it when it starts:

    \b
    bash   headrace network completion bash > ~/.local/share/bash-completion/completions/headrace
    zsh    headrace network completion zsh > DIRECTORY/_headrace   where DIRECTORY is in $fpath
    fish   headrace network completion fish > ~/.config/fish/completions/headrace.fish

    For the shell that is open now:

    \b
    headrace network completion bash > headrace.bash && source headrace.bash
    """
    from click.shell_completion import get_completion_class

    from headrace.cli.root import headrace

    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    click.echo(kind(headrace, {}, "headrace", "_HEADRACE_COMPLETE").source())
