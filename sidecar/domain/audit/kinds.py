"""The closed list of what can be written into the audit log, each kind with its line for a reader."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from sidecar.domain.errors import ConfigurationError

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "meeting.booked": "A meeting was booked under a version of its type.",
        "meeting.cancelled": "A booked meeting was called off.",
        "meeting.moved": "A booked meeting got another time.",
        "meeting.opened": "The meeting began.",
        "meeting.ended": "The meeting ended; everyone was let out.",
        "meeting.missed": "Nobody, or not enough people, came.",
        "invitation.sent": "An invitation or reminder went out over one channel.",
        "invitation.failed": "An invitation could not be delivered.",
        "invitation.again": "A delivery that had been given up was put back in line.",
        "invitation.opened": "The link of an invitation was opened.",
        "consent.given": "A person accepted one version of the text about personal data.",
        "consent.declined": "A person declined the text about personal data and went no further.",
        "call.picked_up": "A staff member took a call that had come in.",
        "adviser.late": "The adviser let the waiting know of a delay.",
        "sign_in.started": "A person began to show who they are.",
        "sign_in.failed": "A sign-in did not succeed.",
        "sign_in.completed": "A person was identified, by a provider, at a level of assurance.",
        "sign_in.wrong_person": "Somebody else than the invited person was identified, and refused.",
        "sign_in.declined_call": "The owner of an eID said in its app that they are not talking to the bank.",
        "lobby.entered": "A person came to the lobby.",
        "lobby.left": "A waiting person left the lobby.",
        "lobby.away": "A waiting person's page was no longer open.",
        "lobby.back": "The page of a waiting person was open again.",
        "lobby.choice": "A waiting person chose to wait, be called or pick another time.",
        "participant.admitted": "A person was let in from the lobby.",
        "participant.denied": "A person was not let in from the lobby.",
        "participant.sent_back": "A person was asked to wait in the lobby again.",
        "participant.joined": "A person entered the room.",
        "participant.left": "A person left the room.",
        "participant.rejoined": "A person came back to the room.",
        "participant.expelled": "A person was removed from the room.",
        "participant.session_ended": "A person's time in the room ran out.",
        "token.minted": "A join token was issued for one person and one room.",
        "token.spent": "A join token opened its door, once.",
        "token.refused": "A join token was refused: spent, expired, or for somewhere else.",
        "act.voided": "Recorded acts did not happen after all; their entries are named.",
        "permission.refused": "An act was asked for and refused; the rule is named.",
        "security.raised": "The meeting's security was turned up.",
        "security.lowering_refused": "An attempt to turn the security down was refused.",
        "guest.invited": "A guest was invited with a limited part.",
        "chat.sent": "A chat message was sent; its digest, never its words.",
        "chat.sent_private": "A message was sent to one person; its digest, never its words.",
        "act.done": "Somebody did in the room what a permission of theirs covers.",
        "hand.raised": "A hand went up or down.",
        "share.started": "A window began to be shared.",
        "share.stopped": "Sharing stopped.",
        "share.refused": "A share was refused; the rule is named.",
        "share.cut": "A share was cut: an internal page was seen in it, or nobody could look. No picture is kept.",
        "record.refused": "Recording was asked for and refused; the rule is named.",
        "recording.asked": "Everybody was asked to be recorded; purpose, law and deletion date are named.",
        "recording.consented": "A person said yes to being recorded.",
        "recording.declined": "A person said no to being recorded.",
        "recording.withdrawn": "A person took back their yes to being recorded, which stops it.",
        "recording.started": "A recording began, under a fresh key wrapped by the region's.",
        "recording.paused": "A recording paused: somebody came who had not been asked.",
        "recording.resumed": "A recording went on.",
        "recording.stopped": "A recording ended; the reason is named.",
        "recording.opened": "A person began to watch a recording, under a watermark of their own.",
        "recording.watched": "A part of a recording was watched; its seconds are named.",
        "recording.exported": "A recording left the viewer as a file, which the policy allowed.",
        "recording.held": "A recording was held from deletion; reason and owner are named.",
        "recording.released": "The hold on a recording was lifted.",
        "recording.deleted": "A recording's key was destroyed, and its media after it.",
        "media.keys": "Media keys were agreed with a participant; fingerprints, never keys.",
        "media.left": "A participant's media ended.",
        "track.dropped": "The bridge dropped sound or picture that was not allowed.",
        "message.dropped": "The bridge dropped a message that was not allowed.",
        "mute.done": "A participant was muted by somebody else.",
        "staff.signed_in": "A staff member signed in to the desk.",
        "staff.call_check": "A staff member passed, or failed, the check before a call.",
        "plugin.used": "An extension was called in a meeting.",
        "template.changed": "A message template was changed.",
        "policy.loaded": "A version of a meeting type was put in place; its owner and review dates are named.",
        "summary.sent": "The meeting's summary went out over one channel.",
        "message.sent": "A message of an extension's went out over one channel.",
        "message.failed": "A message of an extension's could not be delivered.",
        "errand.failed": "Work of an extension's was given up.",
        "errand.again": "Work or a message of an extension's that had been given up was put back in line.",
        "evidence.exported": "An evidence file was made.",
        "evidence.verified": "An evidence file was checked.",
        "key.rotated": "A signing key was replaced.",
        "api.key_used": "A connected system used its key.",
        "system.booked": "A connected system booked a meeting.",
        "system.denied": "A connected system was refused.",
        "journal.read": "A meeting's journal was read.",
        "log.checkpoint": "A checkpoint of the log was signed.",
        "log.repaired": "The log was opened after a crash and a torn tail was cut off.",
        "log.removed": "Entries were removed by the retention rule; their hashes remain.",
    }
)

_PLUGIN_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}")
_RESERVED = frozenset(kind.partition(".")[0] for kind in KINDS)


def kinds_with(plugin_kinds: Mapping[str, str]) -> Mapping[str, str]:
    """Return the core's kinds and those of plugins, "<plugin>.<name>" -> one English line.

    Raises ConfigurationError for a kind that is ill-formed, not described, or in the core's name space.
    """
    for kind, description in plugin_kinds.items():
        if not _PLUGIN_KIND.fullmatch(kind):
            raise ConfigurationError(f'an audit kind is written "<plugin>.<name>", not {kind!r}')
        if kind.partition(".")[0] in _RESERVED:
            raise ConfigurationError(f"the audit kind {kind!r} belongs to the core")
        if not description.strip():
            raise ConfigurationError(f"the audit kind {kind!r} needs a line that says what happened")
    return MappingProxyType({**KINDS, **plugin_kinds})
