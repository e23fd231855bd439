"""Webhook of a chat: posts a sentence in the format of Slack, {"text": ...}."""

import os

import requests

TIMEOUT = (5, 15)


def post(variable: str, text: str) -> str | None:
    """Post a text to the address in an environment variable; nothing is posted if the variable is not set.

    Args:
        variable: Name of the variable. The address is a secret: it allows anyone to post there.
        text: Text to post. It is escaped, so names from data in it mention no users and make no links.

    Returns:
        What failed, as a sentence without the address; None if nothing failed.
    """
    address = os.environ.get(variable)
    if not address:
        return None
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    try:
        response = requests.post(address, json={"text": escaped}, timeout=TIMEOUT)
    except (requests.RequestException, ValueError) as error:
        return f"The webhook in {variable} did not respond ({type(error).__name__})."
    return None if response.ok else f"The webhook in {variable} responded with status {response.status_code}."
