"""The phone's words, in Swedish and English."""

from collections.abc import Callable

LANGUAGES = ("sv", "en")

# What "let it fail" offers: hint code -> key of its name.
ENDINGS = {
    "certificateErr": "fail.blocked",
    "expiredTransaction": "fail.expired",
    "notSupportedByUserApp": "fail.old_app",
    "transactionRiskBlocked": "fail.risk",
    "userDeclinedCall": "fail.declined",
    "unknown": "fail.unknown",
}

_WORDS = {
    "title": ("Demotelefon", "Demo phone"),
    "lead": (
        "Här spelar du BankID-appen. Allt är påhittat, och ingen riktig app är med.",
        "Here you play the BankID app. Everything is invented, and no real app takes part.",
    ),
    "other_language": ("English", "Svenska"),
    "home": ("Till telefonen", "To the phone"),
    "holder": ("Vem håller i telefonen?", "Who holds the phone?"),
    "holder.now": ("Telefonen hålls av {name}.", "The phone is held by {name}."),
    "holder.hand": ("Räck över", "Hand over"),
    "someone-else": ("Någon annan ({name})", "Someone else ({name})"),
    "scan": ("Skanna en kod", "Scan a code"),
    "scan.field": ("Text i QR-koden", "Text of the QR code"),
    "scan.help": (
        "Klistra in texten som koden innehåller. En kod gäller i några sekunder.",
        "Paste the text the code holds. A code holds for a few seconds.",
    ),
    "scan.do": ("Skanna", "Scan"),
    "nearby": ("Väntar i närheten", "Waiting nearby"),
    "nearby.help": (
        "En bekvämlighet i demon. En riktig telefon ser bara koden den riktas mot.",
        "A convenience of the demo. A real phone only sees the code it is pointed at.",
    ),
    "nearby.none": ("Ingen väntar på ett svar just nu.", "Nobody is waiting for an answer just now."),
    "nearby.pick": ("Skanna den här", "Scan this one"),
    "nearby.show": ("Öppna", "Open"),
    "act.auth": ("Legitimering", "Identification"),
    "act.sign": ("Underskrift", "Signature"),
    "asks.auth": ("{bank} vill att du legitimerar dig", "{bank} asks you to identify yourself"),
    "asks.sign": ("{bank} vill att du skriver under", "{bank} asks you to sign"),
    "asks.text": ("Det här står i appen:", "This is what the app says:"),
    "asks.nothing": ("Ingen text följde med.", "No text came along."),
    "call.ask": ("Talar du med {bank} just nu?", "Are you in a call with {bank} just now?"),
    "call.yes": ("Ja, jag talar med dem", "Yes, I am talking to them"),
    "call.no": ("Nej", "No"),
    "pin": ("Säkerhetskod", "Security code"),
    "pin.help": ("I demon är koden {pin}.", "In the demo the code is {pin}."),
    "do.auth": ("Legitimera", "Identify"),
    "do.sign": ("Skriv under", "Sign"),
    "cancel": ("Avbryt", "Cancel"),
    "slow": ("Var långsam (20 s)", "Be slow (20 s)"),
    "slow.on": ("Svarar om en stund.", "Answers in a while."),
    "fail": ("Låt det gå fel", "Let it fail"),
    "fail.how": ("Hur", "How"),
    "fail.do": ("Gå fel", "Fail"),
    "fail.blocked": ("Spärrat BankID", "Blocked BankID"),
    "fail.expired": ("Tiden går ut", "Time runs out"),
    "fail.old_app": ("För gammal app", "App too old"),
    "fail.risk": ("Stoppas som riskabelt", "Stopped as risky"),
    "fail.declined": ("Säger nej till samtalet", "Says no to the call"),
    "fail.unknown": ("Okänt fel", "Unknown error"),
    "state.complete": ("Klart", "Done"),
    "state.failed": ("Avslutat", "Ended"),
    "state.complete.text": ("Svaret har gått till {bank}.", "The answer has gone to {bank}."),
    "state.failed.text": (
        "Inget har skickats. BankID svarar banken: {hint}.",
        "Nothing was sent. BankID tells the bank: {hint}.",
    ),
    "back": ("Tillbaka till {bank}", "Back to {bank}"),
    "faults": ("Fel att öva på", "Faults to practise with"),
    "faults.help": (
        "Gäller hela tjänsten tills du ändrar det.",
        "Holds for the whole service until you change it.",
    ),
    "faults.error": ("BankID svarar med", "BankID answers with"),
    "faults.risk": ("Risk", "Risk"),
    "faults.forge": ("Förfalskat svar", "Forged answer"),
    "faults.none": ("inget fel", "no fault"),
    "faults.no_risk": ("anges inte", "not given"),
    "faults.old_app": ("Gammal app utan stöd för återgång", "Old app that cannot return"),
    "faults.slow": ("Långsamma svar (15 s)", "Slow answers (15 s)"),
    "faults.do": ("Ställ in", "Set"),
    "problem.no-such-order": ("Ingen väntar på det svaret längre.", "Nobody waits for that answer any more."),
    "problem.not-a-bankid-code": ("Det där är ingen kod från BankID.", "That is not a code from BankID."),
    "problem.forged-code": ("Koden är inte äkta.", "The code is not genuine."),
    "problem.old-code": (
        "Koden är för gammal. Skanna den som visas nu.",
        "The code is too old. Scan the one shown now.",
    ),
    "problem.already-opened": ("En telefon har redan öppnat den.", "A phone has opened it already."),
    "problem.order-ended": ("Den är redan avslutad.", "It has already ended."),
    "problem.wrong-pin": ("Fel säkerhetskod.", "Wrong security code."),
    "problem.other": ("Det gick inte i telefonen.", "The phone could not do that."),
}


def words_for(language: str) -> Callable[..., str]:
    """Return the function the templates call as t(key, **values)."""
    column = LANGUAGES.index(language)

    def word(key: str, **values: str) -> str:
        if key not in _WORDS and key.startswith("problem."):
            key = "problem.other"
        return _WORDS[key][column].format(**values)

    return word
