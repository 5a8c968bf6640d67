"""What the launch screen asks about one choice or key: a list where there is one, else a line that is checked."""

from __future__ import annotations

from pathlib import Path

from moore_tui.runs import draft as drafts
from moore_tui.runs import outlook as outlooks
from moore_tui.runs.draft import Draft
from moore_tui.runs.outlook import Outlook, describe
from moore_tui.screens.dialogs import Ask, Choose
from moore_tui.screens.dialogs.dialog import Dialog

FILE, PATH = "FILE.toml", "FILE.hdf5"
NONE, OWN = "none", "its own"
SAYS = {
    drafts.SEED: "One run for each seed: 3, or several as 0-4 or 0,3,7.",
    drafts.NAME: "Of the run and its directory; empty takes a free one. Several seeds put -s and the seed behind it.",
    drafts.FROM: "Saved state to start from: RUN@switch or RUN@CHECKPOINT; empty starts afresh.",
}


def question(name: str, draft: Draft, outlook: Outlook, runs: Path) -> Dialog[str | None]:
    """Its answer is the new text of the choice or key `name`, as Draft.change takes it; None leaves it as it is."""
    if name == drafts.SOURCE:
        sources = [*outlooks.presets(), (FILE, "a configuration of your own")]
        return Choose("Preset", sources, "Task, data and settings; the algorithm has a field of its own.")
    if name == drafts.PROFILE:
        return Choose(
            "Profile",
            [
                (NONE, "the preset as it is"),
                *((each, "reduced for a smaller machine") for each in outlooks.profile_names()),
            ],
        )
    if name == drafts.ALGO:
        return Choose("Algorithm", [(OWN, "what the preset says"), *outlooks.algorithms()])
    if name == drafts.DATA:
        here = [(OWN, "what the preset says"), *outlooks.data_sets(), (PATH, "a file; a path can also be typed here")]
        return Choose("Data set", here, free=True)
    if name == drafts.TRUST:
        return Ask("Trust code", trust_label(outlook), draft.text(drafts.TRUST))
    if name not in SAYS and outlooks.offers(name):
        about = describe()[name]
        return Choose(name, outlooks.offers(name), f"{about.text} (now {outlook.values[name]})")
    return Ask(
        name if "." in name else "Configuration",
        label(name, outlook),
        draft.text(name) or ("" if name in SAYS else unquoted(outlook.values[name])),
        lambda typed: wrong(name, typed.strip()),
        remark=lambda typed: outlooks.remark(draft, name, typed.strip(), runs),
    )


def file_question(draft: Draft) -> Dialog[str | None]:
    """Which file to take the configuration from."""
    return Ask(
        "Configuration",
        "A TOML file with sections and keys as `moore-console config keys` lists them; it may extend a preset.",
        draft.source if draft.source.endswith(".toml") else "",
        outlooks.check_source,
        complete=lambda typed: outlooks.paths(typed, (".toml",)),
    )


def path_question(draft: Draft) -> Dialog[str | None]:
    """Which file is the data set."""
    return Ask("Data set", "A file in D4RL's layout (HDF5).", draft.data, complete=outlooks.completions)


def label(name: str, outlook: Outlook) -> str:
    """What is asked for, what it takes, and what it is now."""
    if name in SAYS:
        return SAYS[name]
    about = describe()[name]
    return (
        f"{about.text}\nit takes {about.allowed}; default {outlooks.text(about.default)}\n"
        f"now {outlook.values[name]}, from: {outlook.sources[name]}"
    )


def trust_label(outlook: Outlook) -> str:
    """Why code has to be trusted, in the engine's words."""
    return outlook.problems.get(
        drafts.TRUST, "Names of the tasks and functions from outside whose code this run may execute."
    )


def wrong(name: str, typed: str) -> str | None:
    """What is wrong with the text by itself; choices may be empty, which takes the source's own."""
    return None if name in SAYS and not typed else outlooks.check(name, typed)


def unquoted(value: str) -> str:
    """A value as it is typed: empty text without its quotes."""
    return "" if value == '""' else value
