"""`appliance models predict`: one question to a model, by gRPC, by REST, or in this process."""

from typing import Final, Literal, TypeAlias

from appliance.client import outputs
from appliance.client.answer import Answer
from appliance.client.endpoints import Endpoints
from appliance.client.errors import WrongUsage
from appliance.client.folders import as_folder
from appliance.client.question import Question

Way: TypeAlias = Literal["grpc", "rest", "process"]
WAYS: Final[tuple[Way, ...]] = ("grpc", "rest", "process")


def predict(question: Question, way: Way, where: Endpoints) -> Answer:
    """Ask, and show the outputs. Blocks for the model's time. Raises: ClientError."""
    match way:
        case "grpc":
            from appliance.client import by_grpc

            return outputs.answer(by_grpc.predict(question, where))
        case "rest":
            from appliance.client import by_rest

            return outputs.answer(by_rest.predict(question, where))
        case "process":
            from appliance.client import process

            _check_folder(question)
            return outputs.answer(process.predict(question))


def _check_folder(question: Question) -> None:
    if as_folder(question.name) is None:
        raise WrongUsage(f"--via process wants a model's folder, and {question.name} is none.")
    if question.label is not None:
        raise WrongUsage("A folder has no labels; --via process goes with --version.")
