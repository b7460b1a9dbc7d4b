"""The journal's sentences in Swedish and English. Other languages read the English one.

Per kind, sentences from the fullest to the plainest: the first one whose {values} the entry has is used.
{actor} and {person} are names; the other values come from the entry's data, in words where WORDS has them.
"""

from collections.abc import Mapping

TEXTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "meeting.booked": {
        "sv": ("{actor} bokade mötet. Regler: {type}.", "{actor} bokade mötet."),
        "en": ("{actor} booked the meeting. Rules: {type}.", "{actor} booked the meeting."),
    },
    "meeting.cancelled": {"sv": ("{actor} ställde in mötet.",), "en": ("{actor} cancelled the meeting.",)},
    "meeting.moved": {
        "sv": ("{actor} flyttade mötet till en ny tid.",),
        "en": ("{actor} moved the meeting to a new time.",),
    },
    "meeting.opened": {
        "sv": ("{actor} startade mötet med {method}.", "{actor} startade mötet."),
        "en": ("{actor} started the meeting with {method}.", "{actor} started the meeting."),
    },
    "meeting.ended": {"sv": ("Mötet avslutades.",), "en": ("The meeting ended.",)},
    "meeting.missed": {"sv": ("Mötet blev inte av.",), "en": ("The meeting did not take place.",)},
    "invitation.sent": {
        "sv": (
            "Inbjudan skickades till {person} med {channel}.",
            "Inbjudan skickades med {channel}.",
            "Inbjudan skickades.",
        ),
        "en": (
            "The invitation was sent to {person} by {channel}.",
            "The invitation was sent by {channel}.",
            "The invitation was sent.",
        ),
    },
    "invitation.failed": {
        "sv": ("Inbjudan till {person} kom inte fram.", "Inbjudan kom inte fram."),
        "en": ("The invitation to {person} was not delivered.", "The invitation was not delivered."),
    },
    "invitation.again": {
        "sv": ("{actor} lät skicka meddelandet till {person} igen.", "{actor} lät skicka ett meddelande igen."),
        "en": ("{actor} had the message to {person} sent again.", "{actor} had a message sent again."),
    },
    "invitation.opened": {"sv": ("{actor} öppnade inbjudan.",), "en": ("{actor} opened the invitation.",)},
    "message.sent": {
        "sv": ("Ett meddelande skickades till {person} med {channel}.", "Ett meddelande skickades."),
        "en": ("A message was sent to {person} by {channel}.", "A message was sent."),
    },
    "message.failed": {
        "sv": ("Ett meddelande till {person} kom inte fram.", "Ett meddelande kom inte fram."),
        "en": ("A message to {person} was not delivered.", "A message was not delivered."),
    },
    "errand.failed": {
        "sv": ("Tilläggstjänsten {plugin} gav upp ett arbete.", "Ett arbete gavs upp."),
        "en": ("The extension {plugin} gave up a piece of work.", "A piece of work was given up."),
    },
    "errand.again": {
        "sv": ("{actor} satte i gång ett uppgivet arbete igen.",),
        "en": ("{actor} started a piece of work anew that had been given up.",),
    },
    "consent.given": {
        "sv": (
            "{actor} godkände texten om uppgifter, version {version}.",
            "{actor} godkände texten om uppgifter.",
        ),
        "en": (
            "{actor} accepted the text about personal data, version {version}.",
            "{actor} accepted the text about personal data.",
        ),
    },
    "consent.declined": {
        "sv": ("{actor} godkände inte texten om uppgifter och gick inte vidare.",),
        "en": ("{actor} did not accept the text about personal data and went no further.",),
    },
    "call.picked_up": {
        "sv": ("{actor} svarade på samtalet.",),
        "en": ("{actor} picked up the call.",),
    },
    "adviser.late": {
        "sv": ("{actor} meddelade att det dröjer.",),
        "en": ("{actor} let it be known that there is a delay.",),
    },
    "sign_in.started": {
        "sv": ("{actor} började legitimera sig med {provider}.", "{actor} började legitimera sig."),
        "en": ("{actor} began to sign in with {provider}.", "{actor} began to sign in."),
    },
    "sign_in.failed": {
        "sv": ("{actor} kunde inte legitimera sig med {provider}.", "{actor} kunde inte legitimera sig."),
        "en": ("{actor} could not sign in with {provider}.", "{actor} could not sign in."),
    },
    "sign_in.completed": {
        "sv": ("{actor} legitimerade sig med {provider}, {loa}.", "{actor} legitimerade sig."),
        "en": ("{actor} was identified with {provider}, {loa}.", "{actor} was identified."),
    },
    "sign_in.wrong_person": {
        "sv": ("Nekat: en annan person än den inbjudna legitimerade sig.",),
        "en": ("Refused: somebody else than the invited person signed in.",),
    },
    "sign_in.declined_call": {
        "sv": ("{actor} svarade i appen att samtalet inte är med banken. Möjligt bedrägeri.",),
        "en": ("{actor} answered in the app that they are not talking to the bank. Possible fraud.",),
    },
    "lobby.left": {
        "sv": ("{actor} slutade vänta.",),
        "en": ("{actor} stopped waiting.",),
    },
    "lobby.away": {
        "sv": ("{person} hade inte väntrummets sida öppen längre.", "Väntrummets sida var inte öppen längre."),
        "en": (
            "{person} no longer had the lobby's page open.",
            "The lobby's page was no longer open.",
        ),
    },
    "lobby.back": {
        "sv": ("{actor} kom tillbaka till väntrummet.",),
        "en": ("{actor} came back to the lobby.",),
    },
    "lobby.entered": {
        "sv": ("{actor} kom och väntade på att bli insläppt.",),
        "en": ("{actor} came and waited to be let in.",),
    },
    "lobby.choice": {
        "sv": ("{actor} valde att {choice}.", "{actor} gjorde ett val i väntan."),
        "en": ("{actor} chose to {choice}.", "{actor} made a choice while waiting."),
    },
    "participant.admitted": {
        "sv": ("{actor} släppte in {person}.", "{actor} släppte in en deltagare."),
        "en": ("{actor} let {person} in.", "{actor} let a participant in."),
    },
    "participant.denied": {
        "sv": ("{actor} släppte inte in {person}.", "{actor} släppte inte in en deltagare."),
        "en": ("{actor} did not let {person} in.", "{actor} did not let a participant in."),
    },
    "participant.joined": {
        "sv": ("{actor} kom in som {capacity}.", "{actor} kom in."),
        "en": ("{actor} came in as {capacity}.", "{actor} came in."),
    },
    "participant.left": {"sv": ("{actor} lämnade mötet.",), "en": ("{actor} left the meeting.",)},
    "participant.rejoined": {"sv": ("{actor} kom tillbaka.",), "en": ("{actor} came back.",)},
    "participant.expelled": {
        "sv": ("{actor} avslutade medverkan för {person}.", "{actor} avslutade en deltagares medverkan."),
        "en": ("{actor} ended {person}'s part in the meeting.", "{actor} ended a participant's part."),
    },
    "participant.sent_back": {
        "sv": ("{actor} bad {person} vänta i väntrummet igen.", "{actor} bad en deltagare vänta i väntrummet igen."),
        "en": ("{actor} asked {person} to wait in the lobby again.", "{actor} asked a participant to wait again."),
    },
    "participant.session_ended": {
        "sv": ("Tiden i mötet gick ut för {person}.", "Tiden i mötet gick ut för en deltagare."),
        "en": ("{person}'s time in the meeting ran out.", "A participant's time in the meeting ran out."),
    },
    "token.minted": {
        "sv": ("{person} fick en nyckel till rummet, för ett tillfälle.", "En nyckel till rummet gavs ut."),
        "en": ("{person} was given a key to the room, for one use.", "A key to the room was given out."),
    },
    "token.spent": {
        "sv": ("{person} använde sin nyckel till rummet.", "En nyckel till rummet användes."),
        "en": ("{person} used their key to the room.", "A key to the room was used."),
    },
    "token.refused": {
        "sv": ("Nekat: en nyckel till rummet gällde inte. Regel: {rule}.", "Nekat: en nyckel gällde inte."),
        "en": ("Refused: a key to the room was not valid. Rule: {rule}.", "Refused: a key was not valid."),
    },
    "act.voided": {
        "sv": ("Det som nyss antecknades blev inte av.",),
        "en": ("What was just recorded did not happen after all.",),
    },
    "permission.refused": {
        "sv": (
            "Nekat: {actor} försökte {permission}. Regel: {rule}.",
            "Nekat: {actor} försökte {act}. Regel: {rule}.",
            "Nekat: {actor} försökte göra något som rollen inte får. Regel: {rule}.",
            "Nekat: {actor} försökte göra något som rollen inte får.",
        ),
        "en": (
            "Refused: {actor} tried to {permission}. Rule: {rule}.",
            "Refused: {actor} tried to {act}. Rule: {rule}.",
            "Refused: {actor} tried to do something this role may not. Rule: {rule}.",
            "Refused: {actor} tried to do something this role may not.",
        ),
    },
    "security.raised": {
        "sv": ("{actor} höjde säkerheten: {target}.", "{actor} höjde säkerheten."),
        "en": ("{actor} raised the security: {target}.", "{actor} raised the security."),
    },
    "security.lowering_refused": {
        "sv": ("Nekat: {actor} försökte sänka säkerheten.",),
        "en": ("Refused: {actor} tried to lower the security.",),
    },
    "guest.invited": {
        "sv": ("{actor} bjöd in {person} som {capacity}.", "{actor} bjöd in en gäst."),
        "en": ("{actor} invited {person} as {capacity}.", "{actor} invited a guest."),
    },
    "chat.sent": {"sv": ("{actor} skrev i chatten.",), "en": ("{actor} wrote in the chat.",)},
    "chat.sent_private": {
        "sv": ("{actor} skrev enskilt till någon.",),
        "en": ("{actor} wrote privately to somebody.",),
    },
    "act.done": {
        "sv": ("{actor} använde rätten att {permission}.", "{actor} gjorde något i rummet."),
        "en": ("{actor} used the right to {permission}.", "{actor} did something in the room."),
    },
    "hand.raised": {
        "sv": ("{actor} {raised}.", "{actor} räckte upp handen."),
        "en": ("{actor} {raised}.", "{actor} raised a hand."),
    },
    "share.started": {
        "sv": ("{actor} började dela {surface}.", "{actor} började dela."),
        "en": ("{actor} began to share {surface}.", "{actor} began to share."),
    },
    "share.stopped": {"sv": ("{actor} slutade dela.",), "en": ("{actor} stopped sharing.",)},
    "share.refused": {
        "sv": ("Nekat: {actor} försökte dela {surface}. Regel: {rule}.", "Nekat: {actor} försökte dela."),
        "en": ("Refused: {actor} tried to share {surface}. Rule: {rule}.", "Refused: {actor} tried to share."),
    },
    "share.cut": {
        "sv": ("Delningen från {actor} bröts: {reason}.", "Delningen från {actor} bröts."),
        "en": ("The share of {actor} was cut: {reason}.", "The share of {actor} was cut."),
    },
    "record.refused": {
        "sv": ("Nekat: {actor} ville spela in. Regel: {rule}.", "Nekat: {actor} ville spela in."),
        "en": ("Refused: {actor} wanted to record. Rule: {rule}.", "Refused: {actor} wanted to record."),
    },
    "recording.asked": {
        "sv": ("{actor} bad alla om lov att spela in mötet.",),
        "en": ("{actor} asked everybody for leave to record the meeting.",),
    },
    "recording.consented": {
        "sv": ("{actor} sa ja till att spelas in.",),
        "en": ("{actor} said yes to being recorded.",),
    },
    "recording.declined": {
        "sv": ("{actor} sa nej till att spelas in.",),
        "en": ("{actor} said no to being recorded.",),
    },
    "recording.withdrawn": {
        "sv": ("{actor} tog tillbaka sitt ja till att spelas in.",),
        "en": ("{actor} took back the yes to being recorded.",),
    },
    "recording.started": {
        "sv": ("Inspelningen började. Den raderas {delete_on}.", "Inspelningen började."),
        "en": ("The recording began. It will be deleted on {delete_on}.", "The recording began."),
    },
    "recording.paused": {
        "sv": ("Inspelningen gjorde uppehåll: {person} hade inte svarat.", "Inspelningen gjorde uppehåll."),
        "en": ("The recording paused: {person} had not answered.", "The recording paused."),
    },
    "recording.resumed": {"sv": ("Inspelningen gick vidare.",), "en": ("The recording went on.",)},
    "recording.stopped": {
        "sv": ("Inspelningen avslutades: {reason}.", "Inspelningen avslutades."),
        "en": ("The recording ended: {reason}.", "The recording ended."),
    },
    "recording.opened": {
        "sv": ("{actor} öppnade inspelningen.",),
        "en": ("{actor} opened the recording.",),
    },
    "recording.watched": {
        "sv": ("{actor} såg sekund {from_s} till {to_s} av inspelningen.", "{actor} såg en del av inspelningen."),
        "en": ("{actor} watched second {from_s} to {to_s} of the recording.", "{actor} watched part of the recording."),
    },
    "recording.exported": {
        "sv": ("{actor} hämtade inspelningen som fil.",),
        "en": ("{actor} took the recording out as a file.",),
    },
    "recording.held": {
        "sv": ("{actor} spärrade inspelningen mot radering: {reason}.", "{actor} spärrade inspelningen mot radering."),
        "en": ("{actor} held the recording from deletion: {reason}.", "{actor} held the recording from deletion."),
    },
    "recording.released": {
        "sv": ("{actor} hävde spärren mot radering.",),
        "en": ("{actor} lifted the hold on the recording.",),
    },
    "recording.deleted": {
        "sv": ("Inspelningen raderades och dess nyckel förstördes.",),
        "en": ("The recording was deleted and its key destroyed.",),
    },
    "media.keys": {
        "sv": (
            "Sidan hos {person} gav sin nyckel ({sha256}) till {given_to} andra.",
            "Nycklar för ljud och bild avtalades med {person}.",
            "Nycklar för ljud och bild avtalades.",
        ),
        "en": (
            "{person}'s page gave its key ({sha256}) to {given_to} others.",
            "Keys for sound and picture were agreed with {person}.",
            "Keys for sound and picture were agreed.",
        ),
    },
    "media.left": {
        "sv": ("Ljud och bild från {person} upphörde.", "Ljud och bild från en deltagare upphörde."),
        "en": ("{person}'s sound and picture ended.", "A participant's sound and picture ended."),
    },
    "track.dropped": {
        "sv": ("Nekat: ljud eller bild som inte var tillåten släpptes inte fram.",),
        "en": ("Refused: sound or picture that was not allowed was not passed on.",),
    },
    "message.dropped": {
        "sv": ("Nekat: ett meddelande som inte var tillåtet släpptes inte fram.",),
        "en": ("Refused: a message that was not allowed was not passed on.",),
    },
    "mute.done": {
        "sv": ("{actor} stängde av {media} för {person}.", "{actor} tystade en deltagare."),
        "en": ("{actor} turned off {person}'s {media}.", "{actor} muted a participant."),
    },
    "staff.signed_in": {"sv": ("{actor} loggade in.",), "en": ("{actor} signed in.",)},
    "staff.call_check": {
        "sv": ("{actor} {passed} kontrollen före samtalet.", "{actor} gjorde kontrollen före samtalet."),
        "en": ("{actor} {passed} the check before the call.", "{actor} took the check before the call."),
    },
    "plugin.used": {
        "sv": ("Tillägget {plugin} användes.", "Ett tillägg användes."),
        "en": ("The extension {plugin} was used.", "An extension was used."),
    },
    "template.changed": {"sv": ("{actor} ändrade en mall.",), "en": ("{actor} changed a template.",)},
    "policy.loaded": {"sv": ("Nya regler började gälla.",), "en": ("New rules came into force.",)},
    "summary.sent": {
        "sv": (
            "Sammanställningen skickades till {person} med {channel}.",
            "Sammanställningen skickades med {channel}.",
            "Sammanställningen skickades.",
        ),
        "en": (
            "The summary was sent to {person} by {channel}.",
            "The summary was sent by {channel}.",
            "The summary was sent.",
        ),
    },
    "evidence.exported": {
        "sv": ("{actor} hämtade bevisfilen.",),
        "en": ("{actor} fetched the evidence file.",),
    },
    "evidence.verified": {
        "sv": ("Bevisfilen kontrollerades.",),
        "en": ("The evidence file was checked.",),
    },
    "key.rotated": {"sv": ("En signeringsnyckel byttes.",), "en": ("A signing key was replaced.",)},
    "api.key_used": {"sv": ("{actor} använde sin nyckel.",), "en": ("{actor} used its key.",)},
    "system.booked": {"sv": ("{actor} bokade mötet.",), "en": ("{actor} booked the meeting.",)},
    "system.denied": {"sv": ("Nekat: {actor} fick inte.",), "en": ("Refused: {actor} was not allowed.",)},
    "journal.read": {"sv": ("{actor} läste journalen.",), "en": ("{actor} read the journal.",)},
    "log.checkpoint": {
        "sv": ("Loggens läge undertecknades.",),
        "en": ("The state of the log was signed.",),
    },
    "log.repaired": {
        "sv": ("Loggen öppnades igen efter ett avbrott.",),
        "en": ("The log was opened again after an interruption.",),
    },
    "log.removed": {
        "sv": ("Händelser gallrades enligt reglerna.",),
        "en": ("Entries were removed by the retention rule.",),
    },
}

# Values in words, by the data's key. A Swedish tillitsnivå 3 is substantial, 4 is high (DIGG).
WORDS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "sv": {
        "reason": {
            "stopped": "på begäran",
            "withdrawn": "ett ja togs tillbaka",
            "declined": "någon sa nej",
            "raised": "säkerheten höjdes",
            "ended": "mötet tog slut",
            "empty": "rummet var tomt",
            "lost": "inspelaren tappades",
            "canary": "en av bankens interna sidor syntes",
            "blind": "bilden kunde inte granskas",
            "down": "granskningen av delade bilder var nere",
            "disk-full": "disken var full",
            "disk-failed": "disken svarade inte",
            "disk-slow": "disken hann inte med",
            "bridge_stopped": "tjänsten stängdes",
            "unattended": "inspelaren hörde inget mer av tjänsten",
            "dispute": "tvist",
            "authority": "begäran från myndighet",
            "investigation": "intern utredning",
            "date": "raderingsdagen kom",
        },
        "loa": {"low": "tillitsnivå 2", "substantial": "tillitsnivå 3", "high": "tillitsnivå 4"},
        "provider": {
            "bankid": "BankID",
            "freja": "Freja",
            "otp_link": "länk och kod",
            "oidc_eid": "e-legitimation",
            "staff_oidc": "bankens inloggning",
        },
        "capacity": {
            "adviser": "rådgivare",
            "specialist": "specialist",
            "customer": "kund",
            "representative": "ombud",
            "observer": "observatör",
            "recorder": "inspelare",
        },
        "channel": {"email": "e-post", "sms": "sms", "inbox": "bankens inkorg"},
        "choice": {"wait": "vänta kvar", "call_me": "bli uppringd", "rebook": "välja en ny tid"},
        "surface": {"window": "ett fönster", "browser": "en flik", "monitor": "hela skärmen"},
        "media": {"audio": "mikrofonen", "video": "kameran", "share": "delningen"},
        "method": {"security_key": "säkerhetsnyckel", "phone": "telefonen"},
        "target": {
            "band:medium": "skyddsnivå medel",
            "band:high": "skyddsnivå hög",
            "encryption:strict": "sluten kryptering",
        },
        "raised": {"True": "räckte upp handen", "False": "tog ner handen"},
        "passed": {"True": "klarade", "False": "klarade inte"},
    },
    "en": {
        "reason": {
            "stopped": "on request",
            "withdrawn": "a yes was taken back",
            "declined": "somebody said no",
            "raised": "the security was raised",
            "ended": "the meeting ended",
            "empty": "the room was empty",
            "lost": "the recorder was lost",
            "canary": "one of the bank’s internal pages was seen",
            "blind": "the picture could not be looked at",
            "down": "nothing could look at shared pictures",
            "disk-full": "the disk was full",
            "disk-failed": "the disk did not answer",
            "disk-slow": "the disk could not keep up",
            "bridge_stopped": "the service was shut down",
            "unattended": "the recorder heard nothing more of the service",
            "dispute": "a dispute",
            "authority": "a request by an authority",
            "investigation": "an internal investigation",
            "date": "the day of deletion came",
        },
        "loa": {"low": "level low", "substantial": "level substantial", "high": "level high"},
        "provider": {
            "bankid": "BankID",
            "freja": "Freja",
            "otp_link": "link and code",
            "oidc_eid": "an electronic ID",
            "staff_oidc": "the bank's sign-in",
        },
        "capacity": {
            "adviser": "adviser",
            "specialist": "specialist",
            "customer": "customer",
            "representative": "representative",
            "observer": "observer",
            "recorder": "recorder",
        },
        "channel": {"email": "e-mail", "sms": "text message", "inbox": "the bank's inbox"},
        "choice": {"wait": "wait", "call_me": "be called", "rebook": "pick another time"},
        "surface": {"window": "a window", "browser": "a tab", "monitor": "the whole screen"},
        "media": {"audio": "microphone", "video": "camera", "share": "sharing"},
        "method": {"security_key": "a security key", "phone": "the phone"},
        "target": {
            "band:medium": "protection level medium",
            "band:high": "protection level high",
            "encryption:strict": "closed encryption",
        },
        "raised": {"True": "raised a hand", "False": "lowered the hand"},
        "passed": {"True": "passed", "False": "did not pass"},
    },
}

# What a permission, or the kind of a refused act, is called after "försökte" and "tried to".
ACTS: Mapping[str, Mapping[str, str]] = {
    "sv": {
        "recording.opened": "öppna en inspelning",
        "recording.watched": "se en inspelning",
        "recording.exported": "hämta en inspelning",
        "recording.held": "spärra en inspelning",
        "recording.released": "häva en spärr",
        "recording.stopped": "stoppa inspelningen",
        "speak": "tala",
        "show_camera": "visa kameran",
        "share_window": "dela ett fönster",
        "share_screen": "dela hela skärmen",
        "chat": "skriva i chatten",
        "private_chat": "skriva enskilt",
        "react": "reagera",
        "raise_hand": "räcka upp handen",
        "send_file": "skicka en fil",
        "upload_document": "ladda upp ett dokument",
        "view_document": "se ett dokument",
        "download_document": "hämta ett dokument",
        "sign": "skriva under",
        "record": "spela in",
        "admit": "släppa in någon",
        "invite_guest": "bjuda in en gäst",
        "mute_others": "tysta någon",
        "expel": "avsluta någons medverkan",
        "end_meeting": "avsluta mötet",
        "raise_security": "höja säkerheten",
        "share.started": "dela {surface}",
        "record.refused": "spela in",
        "chat.sent": "skriva i chatten",
        "hand.raised": "räcka upp handen",
        "guest.invited": "bjuda in en gäst",
        "mute.done": "tysta någon",
        "participant.admitted": "släppa in någon",
        "participant.denied": "neka någon",
        "participant.sent_back": "be någon vänta i väntrummet",
        "participant.expelled": "avsluta någons medverkan",
        "participant.joined": "komma in",
        "token.minted": "komma in",
        "lobby.entered": "komma in",
        "sign_in.completed": "legitimera sig",
        "meeting.booked": "boka mötet",
        "meeting.opened": "starta mötet",
        "meeting.ended": "avsluta mötet",
        "meeting.moved": "flytta mötet",
        "meeting.cancelled": "ställa in mötet",
        "security.raised": "höja säkerheten",
        "journal.read": "läsa journalen",
        "evidence.exported": "hämta bevisfilen",
        "staff.signed_in": "logga in",
        "staff.call_check": "klara kontrollen före samtalet",
        "template.changed": "ändra en mall",
    },
    "en": {
        "recording.opened": "open a recording",
        "recording.watched": "watch a recording",
        "recording.exported": "take out a recording",
        "recording.held": "hold a recording",
        "recording.released": "lift a hold",
        "recording.stopped": "stop the recording",
        "speak": "speak",
        "show_camera": "show the camera",
        "share_window": "share a window",
        "share_screen": "share the whole screen",
        "chat": "write in the chat",
        "private_chat": "write privately",
        "react": "react",
        "raise_hand": "raise a hand",
        "send_file": "send a file",
        "upload_document": "upload a document",
        "view_document": "view a document",
        "download_document": "download a document",
        "sign": "sign",
        "record": "record",
        "admit": "let somebody in",
        "invite_guest": "invite a guest",
        "mute_others": "mute somebody",
        "expel": "end somebody's part",
        "end_meeting": "end the meeting",
        "raise_security": "raise the security",
        "share.started": "share {surface}",
        "record.refused": "record",
        "chat.sent": "write in the chat",
        "hand.raised": "raise a hand",
        "guest.invited": "invite a guest",
        "mute.done": "mute somebody",
        "participant.admitted": "let somebody in",
        "participant.denied": "turn somebody away",
        "participant.sent_back": "ask somebody to wait in the lobby",
        "participant.expelled": "end somebody's part",
        "participant.joined": "come in",
        "token.minted": "come in",
        "lobby.entered": "come in",
        "sign_in.completed": "identify themselves",
        "meeting.booked": "book the meeting",
        "meeting.opened": "start the meeting",
        "meeting.ended": "end the meeting",
        "meeting.moved": "move the meeting",
        "meeting.cancelled": "cancel the meeting",
        "security.raised": "raise the security",
        "journal.read": "read the journal",
        "evidence.exported": "fetch the evidence file",
        "staff.signed_in": "sign in",
        "staff.call_check": "pass the check before the call",
        "template.changed": "change a template",
    },
}

UNNAMED: Mapping[str, str] = {"sv": "Någon", "en": "Somebody"}
THE_SYSTEM: Mapping[str, str] = {"sv": "Systemet", "en": "The system"}
OTHER: Mapping[str, str] = {"sv": "Händelse: {kind}.", "en": "Event: {kind}."}
