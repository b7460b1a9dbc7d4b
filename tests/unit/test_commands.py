"""Commands that another program reads the options of say them all when they are asked."""

import pytest

from sidecar.cli import main


@pytest.mark.parametrize(
    ("command", "options"),
    [("verify-document", ("--roots", "--eid-roots")), ("verify-evidence", ("--key", "--jwks", "--json"))],
)
def test_help_of_a_verifier_names_its_own_options(
    command: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    for option in options:
        assert option in said, said
