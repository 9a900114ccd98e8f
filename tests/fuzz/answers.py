"""What a good answer looks like, and what a refusal does."""

from typing import Any

import pytest

pytestmark = pytest.mark.fuzz


def told(answer: Any, *statuses: int) -> dict[str, Any]:
    """Check that an answer is a problem of one of these statuses, and return it."""
    assert answer.status_code in statuses, f"{answer.request.method} {answer.request.url} → {answer.status_code} {answer.text[:300]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["zh"]["sentence"] and problem["en"]["remedy"]
    assert "Traceback" not in answer.text
    return problem


def well(answer: Any) -> Any:
    """Check that an answer is either good or a problem, and never a breakdown."""
    assert answer.status_code < 500, f"{answer.request.method} {answer.request.url} → {answer.status_code} {answer.text[:300]}"
    if answer.status_code >= 400:
        told(answer, answer.status_code)
    return answer
