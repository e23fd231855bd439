"""What /openapi.json says: the paths, and a row as your schema has it."""

from typing import Any

from gitops_ml.serving import body, explain
from gitops_ml.serving.refusal import CODES
from gitops_ml.serving.service import Service

WORDS = {
    400: "The body cannot be read.", 401: "A bearer token is needed.", 403: "Nobody may tell outcomes here.",
    408: "The request took too long to arrive.", 409: "No prediction log is kept.",
    413: "The body is too large, or has too many rows.", 415: "The content type is none that is read.",
    422: "A row breaks a rule of the schema, each is named; or there are no reasons to give.",
    503: "The model is not ready.", 504: "The prediction took too long.",
}  # fmt: skip
# Codes that no status has for its own.
OTHERS = {"refused", "unfit", "busy", "unknown_option", explain.NONE}
PROBLEM = {
    "type": "object",
    "required": ["row", "column", "rule"],
    "properties": {
        "row": {"type": ["integer", "null"], "description": "Counted from 1."},
        "column": {"type": ["string", "null"]},
        "rule": {"type": "string", "description": "What must be, in words."},
    },
}
ERROR = {
    "type": "object",
    "required": ["code", "message", "problems", "more", "request_id"],
    "properties": {
        "code": {"type": "string", "enum": sorted({*CODES.values(), *OTHERS})},
        "message": {"type": "string"},
        "problems": {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}},
        "more": {"type": "integer", "description": "How many problems are not listed."},
        "request_id": {"type": "string"},
    },
}
BEARER = {"type": "http", "scheme": "bearer"}
# Of those above, what may be said to a prediction, and to an outcome.
ASKED, TOLD = (400, 401, 408, 413, 415, 422, 503, 504), (400, 401, 403, 408, 409, 413, 415, 422)
TAKEN = {
    "type": "object", "required": ["accepted", "request_id"],
    "properties": {"accepted": {"type": "integer"}, "request_id": {"type": "string"}},
}  # fmt: skip
EXPLAIN = {
    "name": "explain", "in": "query", "schema": {"type": "boolean", "default": False},
    "description": f"Whether to say what moved each prediction; for at most {explain.ROWS} rows.",
}  # fmt: skip


def document(title: str, version: str, service: Service, *, guarded: bool) -> dict[str, Any]:
    """The whole document.

    Args:
        title: Of the model.
        version: Of the model.
        service: Whose rows and answers are described.
        guarded: Whether a token is needed.
    """
    error = {"type": "object", "required": ["error"], "properties": {"error": {"$ref": "#/components/schemas/Error"}}}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": _paths(guarded),
        "components": {
            "schemas": {
                "Row": _row(service), "Rows": _rows(service), "Columns": _columns(service), "Answer": _answer(service),
                "Reasons": _reasons(service), "Outcomes": _outcomes(service), "Refusal": error, "Error": ERROR,
                "Problem": PROBLEM,
            },
            "securitySchemes": dict.fromkeys(["token", "outcomes"] if guarded else ["outcomes"], BEARER),
        },
    }  # fmt: skip
    document["paths"]["/predict"]["post"]["requestBody"] = _body(service)
    document["paths"]["/outcomes"]["post"]["requestBody"] = _told(service)
    return document


def _row(service: Service) -> dict[str, Any]:
    said = service.acceptance.said
    return {"type": "object", "required": list(said), "additionalProperties": False, "properties": said}


def _rows(service: Service) -> dict[str, Any]:
    most = service.repository.config.serving.max_rows
    rows = {"type": "array", "minItems": 1, "maxItems": most, "items": {"$ref": "#/components/schemas/Row"}}
    return {"type": "object", "required": ["rows"], "additionalProperties": False, "properties": {"rows": rows}}


def _columns(service: Service) -> dict[str, Any]:
    most = service.repository.config.serving.max_rows
    lists = {name: {"type": "array", "minItems": 1, "maxItems": most, "items": said}
             for name, said in service.acceptance.said.items()}  # fmt: skip
    columns = {"type": "object", "required": list(lists), "additionalProperties": False, "properties": lists}
    return {
        "type": "object", "required": ["columns"], "additionalProperties": False, "properties": {"columns": columns},
    }  # fmt: skip


def _answer(service: Service) -> dict[str, Any]:
    classes = service.described.classes
    said: dict[str, Any] = {
        "predictions": {"type": "array", "items": {"enum": list(classes)} if classes else {"type": "number"}},
        "reasons": {"type": "array", "items": {"$ref": "#/components/schemas/Reasons"},
                    "description": "Of each row, in their order; only where they were asked for."},
        "version": {"type": "string"},
        "request_id": {"type": "string"},
    }  # fmt: skip
    if classes:
        chance = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}}
        said["probabilities"] = {"type": "object", "properties": {str(label): chance for label in classes}}
    return {"type": "object", "required": ["predictions", "version", "request_id"], "properties": said}


def _outcomes(service: Service) -> dict[str, Any]:
    classes: list[Any] = list(service.described.classes)
    item = _object({
        "request_id": {"type": "string", "description": "That /predict returned.",
                       "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "row": {"type": "integer", "minimum": 0, "description": "In that request, counted from 0."},
        "outcome": {"enum": classes} if classes else {"type": "number"},
    })  # fmt: skip
    most = service.repository.config.serving.max_rows
    outcomes = {"type": "array", "minItems": 1, "maxItems": most, "items": {**item, "additionalProperties": False}}
    return {**_object({"outcomes": outcomes}), "additionalProperties": False}


def _told(service: Service) -> dict[str, Any]:
    """The body of a request with outcomes."""
    outcome = next(iter(service.described.classes), 1.5)
    example = {"outcomes": [{"request_id": "0b6c1f2e4d", "row": 0, "outcome": outcome}]}
    content = {"schema": {"$ref": "#/components/schemas/Outcomes"}, "examples": {"one": {"value": example}}}
    return {"required": True, "content": {body.JSON: content}}


def _reasons(service: Service) -> dict[str, Any]:
    """`base`, all `contribution` and `others` add up to what the model decides by."""
    classes: list[Any] = list(service.described.classes)
    number = {"type": "number"}
    said = {
        "of": {"enum": classes or [None], "description": "The class that the figures speak for; null for a number."},
        "unit": {"type": "string", "description": "Log-odds, a score, or the target's own."},
        "base": {**number, "description": "What an average training row would get."},
        "contributions": {
            "type": "array", "maxItems": explain.MOST, "description": "The largest, either way.",
            "items": _object({"column": {"type": "string"}, "value": {"type": ["string", "number", "boolean", "null"]},
                              "contribution": number}),
        },
        "others": {**number, "description": "What all other columns add."},
    }  # fmt: skip
    return _object(said)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _body(service: Service) -> dict[str, Any]:
    rows = service.example
    columns = {name: [row[name] for row in rows] for name in service.described.columns}
    either = [{"$ref": "#/components/schemas/Rows"}, {"$ref": "#/components/schemas/Columns"}]
    examples = {"one row": {"value": {"rows": rows[:1]}}, "rows": {"value": {"rows": rows}},
                "columns": {"value": {"columns": columns}}}  # fmt: skip
    raw = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
    content: dict[str, Any] = {body.JSON: {"schema": {"oneOf": either}, "examples": examples},
                               body.CSV: {"schema": {"type": "string"}}, body.PARQUET: raw,
                               body.ARROW: raw}  # fmt: skip
    return {"required": True, "content": content}


def _paths(guarded: bool) -> dict[str, Any]:
    refusals = {str(status): _said(WORDS[status], "Refusal") for status in ASKED if guarded or status != 401}
    not_taken = {str(status): _said(WORDS[status], "Refusal") for status in TOLD}
    not_taken["503"] = _said("Too much waits to be written.", "Refusal")
    security: dict[str, Any] = {"security": [{"token": []}]} if guarded else {}
    unready = {"503": _said(WORDS[503], "Refusal")}
    only_token = {"401": refusals["401"]} if guarded else {}
    text = {"description": "In Prometheus' format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {
        "/predict": {"post": {"summary": "Predict one row or many", **security, "parameters": [EXPLAIN],
                              "responses": {"200": _said("The predictions, in the order of the rows.", "Answer"),
                                            **refusals}}},
        "/outcomes": {"post": {"summary": "Tell what became of predicted rows", "security": [{"outcomes": []}],
                               "responses": {"202": _answered("So many were taken.", TAKEN), **not_taken}}},
        "/metadata": {"get": {"summary": "Which version answers", "responses": {"200": _said("The version.")}}},
        "/metrics": {"get": {"summary": "Counters", **security, "responses": {"200": text, **only_token}}},
        "/health/live": {"get": {"summary": "Whether it runs", "responses": {"200": _said("It runs.")}}},
        "/health/ready": {"get": {"summary": "Whether it answers as it did in training",
                                  "responses": {"200": _said("It does."), **unready}}},
    }  # fmt: skip


def _said(words: str, schema: str | None = None) -> dict[str, Any]:
    described = {"$ref": f"#/components/schemas/{schema}"} if schema else {"type": "object"}
    return _answered(words, described)


def _answered(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}
