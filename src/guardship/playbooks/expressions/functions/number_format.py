"""`formatNumber`: the standard and custom number formats of .NET, in a locale."""

from decimal import ROUND_HALF_UP, Decimal

from guardship.playbooks.expressions.arguments import number, text
from guardship.playbooks.expressions.entry import Entry
from guardship.playbooks.expressions.locales import Locale, locale_called
from guardship.playbooks.expressions.values import EvaluationFailed, Value


def format_number(value: Value, form: Value, locale: Value = "en-US") -> Value:
    given = Decimal(str(number("formatNumber", value)))
    return _number_written(given, text("formatNumber", form), locale_called(text("formatNumber", locale)))


def _number_written(value: Decimal, form: str, locale: Locale) -> str:
    letter, digits = form[:1].upper(), form[1:]
    if letter in "CDEFGNPX" and (not digits or digits.isdigit()):
        return _standard_number(value, letter, int(digits) if digits else None, locale)
    sections = form.split(";")
    pattern = sections[1] if value < 0 and len(sections) > 1 and sections[1] else sections[0]
    body = "".join(sign for sign in pattern if sign in "0#.,%")
    whole_part, _, part = body.replace("%", "").partition(".")
    shown = abs(value) * (100 if "%" in body else 1)
    text_made = _figures(
        shown, part.count("0") + part.count("#"), part.count("0"), whole_part.replace(",", "").count("0"), "," in whole_part, locale
    )
    start = min((pattern.find(sign) for sign in "0#" if sign in pattern), default=len(pattern))
    end = max(pattern.rfind(sign) for sign in "0#") + 1
    sign_text = "-" if value < 0 and pattern is sections[0] and any(figure in "123456789" for figure in text_made) else ""
    return f"{sign_text}{pattern[:start]}{text_made}{pattern[end:]}".replace("'", "").replace("\\", "")


def _figures(value: Decimal, most: int, least: int, whole_digits: int, is_grouped: bool, locale: Locale) -> str:
    rounded = value.quantize(Decimal(1).scaleb(-most), rounding=ROUND_HALF_UP)
    whole, _, part = f"{rounded:f}".partition(".")
    kept = part[:least] + part[least:].rstrip("0")
    whole = whole.lstrip("0").rjust(whole_digits, "0")
    if is_grouped and whole:
        whole = f"{int(whole):,}".rjust(len(whole), "0").replace(",", locale.group)
    return f"{whole}{locale.decimal_point}{kept}" if kept else whole


def _standard_number(value: Decimal, letter: str, digits: int | None, locale: Locale) -> str:
    sign = "-" if value < 0 else ""
    places = 2 if digits is None else digits
    match letter:
        case "N" | "F":
            return sign + _figures(abs(value), places, places, 1, letter == "N", locale)
        case "C":
            return sign + locale.currency.replace("n", _figures(abs(value), places, places, 1, True, locale), 1)
        case "P":
            return f"{sign}{_figures(abs(value) * 100, places, places, 1, True, locale)}%"
        case "D" | "X" if value == value.to_integral_value():
            return sign + (f"{abs(int(value)):0{digits or 1}d}" if letter == "D" else f"{abs(int(value)):0{digits or 1}X}")
        case "E":
            mantissa, _, power = f"{abs(value):.{6 if digits is None else digits}E}".partition("E")
            return f"{sign}{mantissa.replace('.', locale.decimal_point)}E{power[0]}{abs(int(power)):03d}"
        case "G":
            return f"{value:f}".replace(".", locale.decimal_point)
        case _:
            raise EvaluationFailed(f"The number format '{letter}' does not fit the value {value}.")


TABLE = (Entry("formatNumber", 2, 3, format_number),)
