"""The independent Alipay library for Python, pointed at the simulator."""

from urllib.parse import parse_qsl, urlsplit

from alipay import AliPay

from . import keys


def library(alipay_demo, alipay_public_key=None):
    """A client of the library with the demo app's key; another key of the channel may be given."""
    client = AliPay(
        appid=alipay_demo["app_id"],
        app_private_key_string=keys.pkcs1_pem(keys.private_key(alipay_demo["app_private_key"])),
        alipay_public_key_string=keys.spki_pem(
            keys.public_key(alipay_public_key or alipay_demo["alipay_public_key"])
        ),
    )
    client._gateway = alipay_demo["gateway_url"]
    return client


def fields_of(text):
    """The decoded parameters of a signed address or order string, none of them twice."""
    query = urlsplit(text).query if "://" in text else text
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    fields = dict(pairs)
    assert len(fields) == len(pairs), f"a parameter came twice: {text}"
    return fields


def resigned(client, fields):
    """What the library itself would send as `sign` for these fields.

    The signature scheme has no randomness in it, so an equal key and an equal reading of the rules
    give equal text.
    """
    bare = {name: value for name, value in fields.items() if name != "sign"}
    return fields_of(client.sign_data(bare))["sign"]


def notice_is_genuine(client, fields):
    """The library's verdict on a notification."""
    bare = dict(fields)
    return client.verify(bare, bare.pop("sign"))
