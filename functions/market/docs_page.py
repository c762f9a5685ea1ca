"""`/docs`: the OpenAPI document as one page of HTML, with no script and nothing fetched.

Invariant: every text of the document is escaped; anchors are the error codes and operation ids, so
a problem's `type` (`/docs#CODE`) leads to its explanation.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Any, Final

from functions.shared.runtime.codes import CODES
from functions.shared.runtime.rule_codes import REASON_CODES, RULE_CODES, RuleText

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
       color: #1c2733; background: #fbfbf9; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d5d9dd; }
article { margin: 1.2rem 0; padding: .8rem 1rem; background: #fff; border: 1px solid #e1e4e8; }
nav { line-height: 2; } a { color: #0b6e4f; }
article:target, tr:target { outline: 2px solid #0b6e4f; }
article h3 { margin: 0; font: 600 1rem/1.5 ui-monospace, monospace; }
b.method { display: inline-block; min-width: 4.5rem; color: #0b6e4f; }
.open { float: right; font: .8rem system-ui, sans-serif; color: #6b7785; }
table { border-collapse: collapse; margin: .5rem 0; width: 100%; } code { font-size: .9em; }
td, th { text-align: left; padding: .15rem .8rem .15rem 0; vertical-align: top; }
th { color: #6b7785; font-weight: 500; }
@media (prefers-color-scheme: dark) {
  body { color: #dfe5eb; background: #14181d; }
  article { background: #1b2128; border-color: #2c343d; } b.method, a { color: #5fd3a6; } }
"""
#: What the page may do: be styled by that text, and nothing else (CSP 3, section 2.3.1).
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src"
    f" 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)


def render_page(document: Mapping[str, Any]) -> str:
    """The whole page for an OpenAPI 3.1 document."""
    info = document["info"]
    return "".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
            f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p>",
            f"<p>Version <code>{escape(info['version'])}</code>, also as ",
            '<a href="/v1/openapi.json">OpenAPI</a>.</p>',
            *_sections(document),
            _heading("Error codes"),
            "<table>",
            *(_row(code, title) for code, title in CODES.items()),
            "</table>",
            _heading("Rules"),
            "<p>What <code>rules[].code</code> of a refusal names.</p>",
            "<table>",
            "<tr><th>code<th>what is broken<th>what would be valid",
            *(_rule(code, rule) for code, rule in RULE_CODES.items()),
            "</table>",
            _heading("Reasons"),
            "<p>What <code>reason.code</code> of an order names, beside",
            " the rules: why it ended, or is other than was asked.</p><table>",
            *(_row(code, text) for code, text in REASON_CODES.items() if code not in RULE_CODES),
            "</table></html>",
        ]
    )


def _row(code: str, *texts: str) -> str:
    return f'<tr id="{code}"><td><code>{code}</code>' + "".join(f"<td>{escape(t)}" for t in texts)


def _rule(code: str, rule: RuleText) -> str:
    return _row(code, *rule)


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["Other"])[0]
            by_tag.setdefault(tag, []).append(_article(document, path, method, operation))
    headings = (*by_tag, "Error codes", "Rules", "Reasons")
    links = " · ".join(f'<a href="#{_anchor(text)}">{escape(text)}</a>' for text in headings)
    yield f"<nav>{links}</nav>"
    for tag, articles in by_tag.items():
        yield _heading(tag)
        yield from articles


def _heading(text: str) -> str:
    return f'<h2 id="{_anchor(text)}">{escape(text)}</h2>'


def _anchor(heading: str) -> str:
    """Begins with what no error code and no operation begins with."""
    return escape(f"-{heading.lower().replace(' ', '-')}")


def _article(
    document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> str:
    access = _access(operation.get("security"))
    text = operation.get("description") or operation.get("summary") or ""
    parameters = "".join(_parameter(p) for p in operation.get("parameters", []))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answers = "".join(
        f"<tr><th>{escape(status)}<td>{_answer(document, answer)}"
        for status, answer in operation["responses"].items()
        if status != "default"
    )
    return (
        f'<article id="{escape(operation["operationId"])}"><span class="open">{access}</span>'
        f'<h3><b class="method">{escape(method.upper())}</b>{escape(path)}</h3>'
        f"<p>{escape(text)}</p><table>{parameters}"
        f"{_fields(document, body.get('schema'))}{answers}</table></article>"
    )


def _access(security: Sequence[Mapping[str, Sequence[str]]] | None) -> str:
    """Who may call it: the bearer, with the scopes that their session needs."""
    if not security:
        return "bearer" if security is None else "open to all"
    return " ".join(["bearer", *security[0].get("bearer", ())])


def _parameter(parameter: Mapping[str, Any]) -> str:
    needed = "" if parameter.get("required") else ", optional"
    return (
        f"<tr><th>{escape(parameter['in'])}{needed}<td><code>{escape(parameter['name'])}</code> "
        f"{escape(parameter.get('description') or '')}"
    )


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any] | None) -> str:
    """The fields of a request's body, one row each."""
    resolved = _resolve(document, schema or {})
    needed = set(resolved.get("required", []))
    return "".join(
        f"<tr><th>body{'' if name in needed else ', optional'}<td><code>{escape(name)}</code> "
        f"{_type(document, field)} {escape(field.get('description') or '')}"
        for name, field in resolved.get("properties", {}).items()
    )


def _answer(document: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """The fields of what is given, or in words how it is refused."""
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[-1]]
    given = answer.get("content", {}).get("application/json")
    return escape(answer["description"]) if given is None else _type(document, given["schema"])


def _type(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A short word for a schema: its fields, its members, its type."""
    resolved = _resolve(document, schema)
    if "properties" in resolved:
        names = ", ".join(escape(name) for name in resolved["properties"])
        return f"<code>{{{names}}}</code>"
    if "enum" in resolved:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in resolved["enum"])
    if "anyOf" in resolved:
        return " or ".join(_type(document, each) for each in resolved["anyOf"])
    return escape(str(resolved.get("type", "")))


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follows one `$ref` into the document's components."""
    reference = schema.get("$ref")
    if reference is None:
        only = schema.get("anyOf", [])
        wanted = [each for each in only if each.get("type") != "null"]
        return _resolve(document, wanted[0]) if len(wanted) == 1 else schema
    name = str(reference).rsplit("/", 1)[-1]
    found: Mapping[str, Any] = document["components"]["schemas"][name]
    return found
