"""The controls of the page as HTML, each with its hints and with what is wrong at it.

What belongs here: one function for each kind of control. A part that is shown under a condition has the condition's word in
`data-when`, and `hidden` while the condition does not hold.
"""

from typing import Final

from attrs import frozen

from tiktok_adapters.page.markup import element, filled, identity, plain, references
from tiktok_adapters.page.state import State, long_text
from tiktok_adapters.page.texts import Texts
from tiktok_core.domain.creator import PrivacyLevel
from tiktok_core.domain.export import NOT_PRIVATE, Control
from tiktok_core.domain.text import utf16_units

__all__ = ["Drawing"]

ROWS: Final = "4"


@frozen
class Drawing:
    """Draws the controls of one state.

    Attributes:
        state: what the page shows.
        texts: the language.
    """

    state: State
    texts: Texts

    def when(self, condition: str, *inner: str, name: str = "p", class_: str | None = None) -> str:
        """Return a part that is shown while a condition holds."""
        holds = self.state.conditions[condition]
        return element(name, *inner, class_=class_, data_when=condition, hidden=not holds)

    def errors(self, name: str, *others: str) -> str:
        """Return what is wrong at a control, below it; `others` are errors that the script shows and hides."""
        said = [element("p", one, class_="tiktok-error") for one in self.state.wrong.get(name, ())]
        return element("div", *said, *others, id=identity(f"error-{name}")) if said or others else ""

    def is_wrong(self, name: str) -> str | None:
        """Return the value of `aria-invalid`; None if nothing is wrong."""
        return "true" if name in self.state.wrong else None

    def text_area(self, name: str, label: str, value: str, limit: int) -> str:
        """Return a text that the person writes, with its length and its limit in UTF-16 units."""
        long = f"long-{name}"
        is_long = self.state.conditions[long]
        units = element("span", str(utf16_units(value)), data_units=True)
        # What the script shows while a text is too long is not said a second time.
        said = [one for one in self.state.wrong.get(name, ()) if not is_long or "data-units" not in one]
        errors = [element("p", one, class_="tiktok-error") for one in said]
        told = self.when(long, long_text(self.texts, value, limit), class_="tiktok-error")
        return element(
            "div",
            element("label", plain(label), for_=identity(name)),
            # A browser drops a new line that stands first in the element.
            element(
                "textarea",
                "\n" + plain(value),
                id=identity(name),
                name=name,
                rows=ROWS,
                data_limit=str(limit),
                aria_describedby=references(f"hint-{name}", f"error-{name}"),
                aria_invalid="true" if is_long or said else None,
            ),
            element(
                "p",
                filled(self.texts.count, units=units, limit=str(limit)),
                id=identity(f"hint-{name}"),
                class_="tiktok-hint",
            ),
            element("div", *errors, told, id=identity(f"error-{name}")),
            class_="tiktok-field",
            data_text=name,
        )

    def tick(
        self, control: Control, *, about: str = "", hints: str = "", role: str | None = None, hint: str | None = None
    ) -> str:
        """Return a box to tick.

        Args:
            control: its name, label and state.
            about: a sentence below the label, as HTML.
            hints: parts that are shown under a condition, as HTML.
            role: `switch` for what is on or off by itself.
            hint: the text for the pointer while the script greys it out.
        """
        name = control.name
        below = (
            element("div", about, hints, id=identity(f"hint-{name}"), class_="tiktok-hint") if about or hints else ""
        )
        wrong = self.errors(name)
        box = element(
            "input",
            type="checkbox",
            role=role,
            id=identity(name),
            name=name,
            value="on",
            checked=control.is_chosen,
            disabled=control.is_disabled,
            title=control.hint or None,
            data_hint=hint,
            aria_describedby=references(f"hint-{name}" if below else "", f"error-{name}" if wrong else ""),
            aria_invalid=self.is_wrong(name),
        )
        label = element("label", box, element("span", plain(control.label)), title=control.hint or None)
        return element("div", label, below, wrong, class_="tiktok-tick")

    def levels(self) -> str:
        """Return the drop-down of privacy levels, which begins with an empty line; 3f: its hint beside branded content."""
        words = {
            PrivacyLevel.PUBLIC_TO_EVERYONE: self.texts.everyone,
            PrivacyLevel.MUTUAL_FOLLOW_FRIENDS: self.texts.friends,
            PrivacyLevel.FOLLOWER_OF_CREATOR: self.texts.followers,
            PrivacyLevel.SELF_ONLY: self.texts.only_me,
        }
        options = [
            element(
                "option",
                plain({str(level): word for level, word in words.items()}.get(one.name, one.name)),
                value=one.name,
                selected=one.is_chosen,
                disabled=one.is_disabled,
                title=one.hint or None,
                data_hint=NOT_PRIVATE if one.name == PrivacyLevel.SELF_ONLY else None,
            )
            for one in self.state.form.privacy_options
        ]
        empty = element("option", plain(self.texts.unchosen), value="", selected=self.state.conditions["unchosen"])
        wrong = self.errors("privacy_level")
        hint = self.when("branded", plain(NOT_PRIVATE))
        return element(
            "div",
            element("label", plain(self.texts.privacy), for_=identity("privacy_level")),
            element(
                "select",
                empty,
                *options,
                id=identity("privacy_level"),
                name="privacy_level",
                required=True,
                title=NOT_PRIVATE if self.state.conditions["branded"] else None,
                data_hint=NOT_PRIVATE,
                aria_describedby=references("hint-privacy_level", "error-privacy_level" if wrong else ""),
                aria_invalid=self.is_wrong("privacy_level"),
            ),
            element("div", hint, id=identity("hint-privacy_level"), class_="tiktok-hint"),
            wrong,
            class_="tiktok-field",
        )
