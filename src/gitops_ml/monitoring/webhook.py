"""Post a sentence where people talk, in the form that Slack and its like take: {"text": ...}."""

import os

import requests

TIMEOUT = (5, 15)


def post(variable: str, text: str) -> str | None:
    """Say it, where the environment variable holds an address; what went wrong, in a sentence without the address.

    Args:
        variable: The variable's name; the address is a secret, for whoever knows it may write there.
        text: Names from data in it mention nobody and make no link.
    """
    address = os.environ.get(variable)
    if not address:
        return None
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    try:
        answer = requests.post(address, json={"text": plain}, timeout=TIMEOUT)
    except (requests.RequestException, ValueError) as error:
        return f"The webhook in {variable} gave no answer ({type(error).__name__})."
    return None if answer.ok else f"The webhook in {variable} answered {answer.status_code}."
