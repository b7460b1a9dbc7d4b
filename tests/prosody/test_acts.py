"""What acts on XMPP leave behind: who did what to whom, and no way to say more with them than they are for."""

import pytest

from tests.prosody.conftest import Run
from tests.prosody.stand import Stand, somebody
from tests.prosody.wire_table import ROOM, admin, groupchat, moderation, mute, reactions
from tests.prosody.xmpp_client import rule_of

USER = "http://jabber.org/protocol/muc#user"


@pytest.mark.requirement("R204", "R216")
def test_an_act_done_to_somebody_says_to_whom(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        who, whom = somebody(), somebody()
        elin = await stand.person("elin", ["mute_others"], moderator=True, user_id=who)
        await stand.person("peer", user_id=whom)
        elin.send(mute("video"))
        elin.send(moderation(f"jidToBlacklist='{ROOM}/peer' mediaType='audio'"))
        for kind in ("mute", "av_moderation"):
            told = stand.sidecar.wait_for_event("act.done", participant=who, type=kind)
            assert told["data"] == {"type": kind, "rule": "mute_others", "target": whom}

    run(test)


@pytest.mark.requirement("R204")
def test_nobody_is_kicked_past_the_sidecar(run: Run) -> None:
    """A kick would not last: whoever is put out of the room alone comes back with a new token."""

    async def test(stand: Stand) -> None:
        await stand.focus()
        elin = await stand.person("elin", ["expel"], moderator=True)
        peer = await stand.person("peer")
        elin.send(admin("<item nick='peer' role='none'><reason>läs https://ond.example</reason></item>"))
        assert rule_of(await elin.wait_for(lambda s: s.get("id") == "act")) == "kick"
        await peer.settle()

    run(test)


@pytest.mark.requirement("R204")
def test_a_reaction_is_recorded_and_never_breaks_off_in_a_letter(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        who = somebody()
        me = await stand.person("me", ["react"], user_id=who)
        peer = await stand.person("peer")
        me.send(groupchat(reactions("a" * 31 + "é")))
        assert rule_of(await me.wait_for(lambda s: s.get("id") == "act")) == "unknown-reaction"
        me.send(groupchat(reactions("👍")))
        seen = await peer.wait_for(lambda s: s.get("id") == "act")
        assert "".join(seen.itertext()) == "👍"
        told = stand.sidecar.wait_for_event("act.done", participant=who)
        assert told["data"] == {"type": "reaction", "rule": "react"}

    run(test)


@pytest.mark.requirement("R204", "R216")
def test_an_invitation_carries_no_words(run: Run) -> None:
    """It goes past the right to private chat, and nobody keeps what it says."""

    async def test(stand: Stand) -> None:
        await stand.focus()
        who, whom = somebody(), somebody()
        elin = await stand.person("elin", ["admit"], moderator=True, user_id=who)
        peer = await stand.person("peer", user_id=whom)
        invite = f"<invite to='{peer.jid}'><reason>läs https://ond.example</reason></invite>"
        elin.send(f"<message to='{ROOM}'>hej<x xmlns='{USER}'>{invite}</x></message>")
        seen = await peer.wait_for(lambda s: s.find(f".//{{{USER}}}invite") is not None)
        assert "ond.example" not in "".join(seen.itertext())
        assert not seen.findtext(f".//{{{USER}}}reason")
        told = stand.sidecar.wait_for_event("act.done", participant=who)
        assert told["data"] == {"type": "admit", "rule": "admit", "target": whom}

    run(test)
