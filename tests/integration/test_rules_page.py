"""The page of a type's rules promises no right that nobody can use."""

import re

from sidecar.testing import ELIN, Product


def test_a_right_without_a_button_is_told_beside_its_grant(product: Product) -> None:
    elin = product.signs_in(ELIN)
    notes = re.compile(r"(?:Mötesrummet har ingen knapp|Ingen del av tjänsten) [^<]*")

    assert notes.findall(elin.get("/desk/rules/advice").text) == [
        "Mötesrummet har ingen knapp för att reagera. Rätten gäller bara andra program på Jitsi.",
        "Mötesrummet har ingen knapp för att rita på tavlan. Rätten gäller bara andra program på Jitsi.",
        "Ingen del av tjänsten låter någon gå igenom en webbsida tillsammans än."
        " Rätten ger ingenting förrän banken lägger till en sådan del.",
    ]
    assert notes.findall(elin.get("/desk/rules/mortgage").text) == []
