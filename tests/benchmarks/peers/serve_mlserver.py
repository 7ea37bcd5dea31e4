"""A runtime for MLServer: one tensor in, one out, over the Open Inference Protocol."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from saved_model import signature_call


class SavedModel(MLModel):
    async def load(self) -> bool:
        self.call = signature_call(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        y = self.call(self.decode(payload.inputs[0], default_codec=NumpyCodec))
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=[NumpyCodec.encode_output("y", y)]
        )
