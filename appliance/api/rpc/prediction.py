"""tensorflow.serving.PredictionService."""

from collections.abc import Mapping
from typing import Any, Final

import grpc

from appliance.api.rpc.calls import Answer, unary
from appliance.api.rpc.counting import counted
from appliance.api.rpc.messages import (
    asked_spec,
    classification_response,
    multi_inference_response,
    predict_response,
    regression_response,
    spec_of,
)
from appliance.dataplane import DataPlane, Task
from appliance.dataplane.examples import examples_of
from appliance.dataplane.model_metadata import check_metadata_fields, model_metadata
from appliance.dataplane.predict import TensorInputs

SERVICE: Final = "tensorflow.serving.PredictionService"


class PredictionService:
    """Threads: any; nothing is kept between calls."""

    def __init__(self, plane: DataPlane, *, tensor_content: bool) -> None:
        """`tensor_content`: answers as raw bytes."""
        self._plane = plane
        self._tensor_content = tensor_content

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """By method."""
        return {
            "Predict": unary("tensorflow.serving.PredictRequest", self._counted("Predict", self.predict)),
            "Classify": unary("tensorflow.serving.ClassificationRequest", self._counted("Classify", self.classify)),
            "Regress": unary("tensorflow.serving.RegressionRequest", self._counted("Regress", self.regress)),
            "MultiInference": unary("tensorflow.serving.MultiInferenceRequest", self.multi_inference),
            "GetModelMetadata": unary("tensorflow.serving.GetModelMetadataRequest", self.get_model_metadata),
        }

    def predict(self, request: Any, deadline_s: float | None) -> bytes:
        """Raises: RequestError."""
        spec = asked_spec(request)
        with self._plane.borrow(spec) as borrowed:
            inputs = TensorInputs(request.inputs)
            found = self._plane.predict(borrowed, spec.signature, inputs, request.output_filter, deadline_s=deadline_s)
            return predict_response(found.id, found.signature, found.outputs, tensor_content=self._tensor_content)

    def classify(self, request: Any, deadline_s: float | None) -> bytes:
        """Raises: RequestError."""
        spec = asked_spec(request)
        with self._plane.borrow(spec) as borrowed:
            examples = examples_of(request.input)
            return classification_response(
                self._plane.classify(borrowed, spec.signature, examples, deadline_s=deadline_s)
            )

    def regress(self, request: Any, deadline_s: float | None) -> bytes:
        """Raises: RequestError."""
        spec = asked_spec(request)
        with self._plane.borrow(spec) as borrowed:
            examples = examples_of(request.input)
            return regression_response(self._plane.regress(borrowed, spec.signature, examples, deadline_s=deadline_s))

    def multi_inference(self, request: Any, deadline_s: float | None) -> bytes:
        """Raises: RequestError."""
        tasks = [Task(spec_of(task.model_spec), task.method_name) for task in request.tasks]
        examples = examples_of(request.input)
        return multi_inference_response(list(self._plane.multi_inference(tasks, examples, deadline_s=deadline_s)))

    def get_model_metadata(self, request: Any, _deadline_s: float | None) -> bytes:
        """Raises: RequestError."""
        spec = asked_spec(request)
        check_metadata_fields(request.metadata_field)
        with self._plane.borrow(spec) as borrowed:
            answer: bytes = model_metadata(borrowed).SerializeToString()
            return answer

    def _counted(self, api: str, answer: Answer) -> Answer:
        return counted(self._plane.metrics, api, lambda request: str(request.model_spec.name), answer)
