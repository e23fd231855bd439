"""The OpenAPI document of a service: its paths, and the rows of its requests as your schema describes them."""

from typing import Any

from gitops_ml.serving import body, explain_rows
from gitops_ml.serving.api_error import CODES
from gitops_ml.serving.service import Service

DESCRIPTIONS = {
    400: "The body cannot be read.", 401: "A bearer token is required.", 403: "This server accepts no outcomes.",
    408: "The request took too long to arrive.", 409: "This server keeps no prediction log.",
    413: "The body is too large, or has too many rows.", 415: "The content type is not supported.",
    422: "Rows break rules of the schema, which are listed; or the predictions cannot be explained.",
    503: "The model is not ready.", 504: "The prediction took too long.",
}  # fmt: skip
# Codes that are not the default code of a status.
OTHER_CODES = {"refused", "unfit", "busy", "unknown_option", explain_rows.NO_REASONS}
PROBLEM = {
    "type": "object",
    "required": ["row", "column", "rule"],
    "properties": {
        "row": {"type": ["integer", "null"], "description": "Row number, counted from 1."},
        "column": {"type": ["string", "null"]},
        "rule": {"type": "string", "description": "Text of the rule that is broken."},
    },
}
ERROR = {
    "type": "object",
    "required": ["code", "message", "problems", "more", "request_id"],
    "properties": {
        "code": {"type": "string", "enum": sorted({*CODES.values(), *OTHER_CODES})},
        "message": {"type": "string"},
        "problems": {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}},
        "more": {"type": "integer", "description": "Number of problems that are not listed."},
        "request_id": {"type": "string"},
    },
}
BEARER = {"type": "http", "scheme": "bearer"}
# Error statuses of /predict and of /outcomes.
PREDICT_STATUSES = (400, 401, 408, 413, 415, 422, 503, 504)
OUTCOME_STATUSES = (400, 401, 403, 408, 409, 413, 415, 422)
ACCEPTED = {
    "type": "object", "required": ["accepted", "request_id"],
    "properties": {"accepted": {"type": "integer"}, "request_id": {"type": "string"}},
}  # fmt: skip
EXPLAIN = {
    "name": "explain", "in": "query", "schema": {"type": "boolean", "default": False},
    "description": f"Whether to explain each prediction; for at most {explain_rows.MAX_ROWS} rows.",
}  # fmt: skip


def build_document(title: str, version: str, service: Service, *, token_required: bool) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        title: Name of the model.
        version: Version of the model.
        service: Service whose requests and responses are described.
        token_required: True if callers must send a token.
    """
    error = {"type": "object", "required": ["error"], "properties": {"error": {"$ref": "#/components/schemas/Error"}}}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": _paths(token_required),
        "components": {
            "schemas": {
                "Row": _row_schema(service), "RowList": _row_list_schema(service), "Rows": _rows_schema(),
                "Columns": _columns_schema(service),
                "Answer": _answer_schema(service), "Reasons": _explanation_schema(service),
                "Outcomes": _outcomes_schema(service), "Refusal": error, "Error": ERROR, "Problem": PROBLEM,
            },
            "securitySchemes": dict.fromkeys(["token", "outcomes"] if token_required else ["outcomes"], BEARER),
        },
    }  # fmt: skip
    document["paths"]["/predict"]["post"]["requestBody"] = _predict_body(service)
    document["paths"]["/outcomes"]["post"]["requestBody"] = _outcomes_body(service)
    return document


def _row_schema(service: Service) -> dict[str, Any]:
    columns = service.validator.column_schemas
    return {"type": "object", "required": list(columns), "additionalProperties": False, "properties": columns}


def _row_list_schema(service: Service) -> dict[str, Any]:
    max_rows = service.repository.config.serving.max_rows
    return {"type": "array", "minItems": 1, "maxItems": max_rows, "items": {"$ref": "#/components/schemas/Row"}}


def _rows_schema() -> dict[str, Any]:
    rows = {"$ref": "#/components/schemas/RowList"}
    return {"type": "object", "required": ["rows"], "additionalProperties": False, "properties": {"rows": rows}}


def _columns_schema(service: Service) -> dict[str, Any]:
    max_rows = service.repository.config.serving.max_rows
    lists = {name: {"type": "array", "minItems": 1, "maxItems": max_rows, "items": schema}
             for name, schema in service.validator.column_schemas.items()}  # fmt: skip
    columns = {"type": "object", "required": list(lists), "additionalProperties": False, "properties": lists}
    return {
        "type": "object", "required": ["columns"], "additionalProperties": False, "properties": {"columns": columns},
    }  # fmt: skip


def _answer_schema(service: Service) -> dict[str, Any]:
    classes = service.metadata.classes
    properties: dict[str, Any] = {
        "predictions": {"type": "array", "items": {"enum": list(classes)} if classes else {"type": "number"}},
        "reasons": {"type": "array", "items": {"$ref": "#/components/schemas/Reasons"},
                    "description": "Explanation of each row, in the order of the rows; only with `explain`."},
        "version": {"type": "string"},
        "request_id": {"type": "string"},
    }  # fmt: skip
    if classes:
        probability = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}}
        labels = {str(label): probability for label in classes}
        properties["probabilities"] = {"type": "object", "properties": labels}
    return {"type": "object", "required": ["predictions", "version", "request_id"], "properties": properties}


def _outcomes_schema(service: Service) -> dict[str, Any]:
    classes: list[Any] = list(service.metadata.classes)
    item = _object({
        "request_id": {"type": "string", "description": "Id that /predict returned.",
                       "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "row": {"type": "integer", "minimum": 0, "description": "Row number in that request, counted from 0."},
        "outcome": {"enum": classes} if classes else {"type": "number"},
    })  # fmt: skip
    max_rows = service.repository.config.serving.max_rows
    items = {**item, "additionalProperties": False}
    outcomes = {"type": "array", "minItems": 1, "maxItems": max_rows, "items": items}
    return {**_object({"outcomes": outcomes}), "additionalProperties": False}


def _outcomes_body(service: Service) -> dict[str, Any]:
    """Return the request body of /outcomes."""
    outcome = next(iter(service.metadata.classes), 1.5)
    example = {"outcomes": [{"request_id": "0b6c1f2e4d", "row": 0, "outcome": outcome}]}
    content = {"schema": {"$ref": "#/components/schemas/Outcomes"}, "examples": {"one": {"value": example}}}
    return {"required": True, "content": {body.JSON: content}}


def _explanation_schema(service: Service) -> dict[str, Any]:
    """Return the schema of an explanation: the sum of its parts is the model's decision value."""
    classes: list[Any] = list(service.metadata.classes)
    number = {"type": "number"}
    contribution = _object({
        "column": {"type": "string"}, "value": {"type": ["string", "number", "boolean", "null"]},
        "contribution": number,
    })  # fmt: skip
    return _object({
        "of": {"enum": classes or [None], "description": "Class that the numbers are about; null for a number."},
        "unit": {"type": "string", "description": "Log-odds, a score, or the unit of the target."},
        "base": {**number, "description": "Value of an average training row."},
        "contributions": {
            "type": "array", "maxItems": explain_rows.MAX_COLUMNS, "items": contribution,
            "description": "Largest contributions, by their absolute values.",
        },
        "others": {**number, "description": "Sum of the contributions of all other columns."},
    })  # fmt: skip


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _predict_body(service: Service) -> dict[str, Any]:
    """Return the request body of /predict."""
    rows = service.example_rows
    columns = {name: [row[name] for row in rows] for name in service.metadata.columns}
    either = [{"$ref": f"#/components/schemas/{name}"} for name in ("Rows", "RowList", "Row", "Columns")]
    examples = {"one row": {"value": {"rows": rows[:1]}}, "rows": {"value": {"rows": rows}},
                "columns": {"value": {"columns": columns}}}  # fmt: skip
    binary = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
    content: dict[str, Any] = {body.JSON: {"schema": {"oneOf": either}, "examples": examples},
                               body.CSV: {"schema": {"type": "string"}}, body.PARQUET: binary,
                               body.ARROW: binary}  # fmt: skip
    return {"required": True, "content": content}


def _paths(token_required: bool) -> dict[str, Any]:
    statuses = [status for status in PREDICT_STATUSES if token_required or status != 401]
    predict_errors = {str(status): _response(DESCRIPTIONS[status], "Refusal") for status in statuses}
    outcome_errors = {str(status): _response(DESCRIPTIONS[status], "Refusal") for status in OUTCOME_STATUSES}
    outcome_errors["503"] = _response("The queue of the prediction log is full.", "Refusal")
    security: dict[str, Any] = {"security": [{"token": []}]} if token_required else {}
    not_ready = {"503": _response(DESCRIPTIONS[503], "Refusal")}
    unauthorized = {"401": predict_errors["401"]} if token_required else {}
    text = {"description": "Metrics in Prometheus' format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {
        "/predict": {"post": {"summary": "Predict one or more rows", **security, "parameters": [EXPLAIN],
                              "responses": {"200": _response("The predictions, in the order of the rows.", "Answer"),
                                            **predict_errors}}},
        "/outcomes": {"post": {"summary": "Send the outcomes of predicted rows", "security": [{"outcomes": []}],
                               "responses": {"202": _json_response("Number of accepted outcomes.", ACCEPTED),
                                             **outcome_errors}}},
        "/metadata": {"get": {"summary": "Get the served version", "responses": {"200": _response("The version.")}}},
        "/metrics": {"get": {"summary": "Get the metrics", **security, "responses": {"200": text, **unauthorized}}},
        "/health/live": {"get": {"summary": "Check that the server is running",
                                 "responses": {"200": _response("The server is running.")}}},
        "/health/ready": {"get": {"summary": "Check that the model predicts as in training",
                                  "responses": {"200": _response("The model is ready."), **not_ready}}},
    }  # fmt: skip


def _response(description: str, schema: str | None = None) -> dict[str, Any]:
    return _json_response(description, {"$ref": f"#/components/schemas/{schema}"} if schema else {"type": "object"})


def _json_response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
