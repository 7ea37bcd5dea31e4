"""Settings and the front door."""

import pytest

import camera
from camera import CameraConfigError, CameraNotFound, check_config, make_camera, open_camera
from camera.config import CONFIGS
from camera.opening import DRIVERS


def test_every_driver_has_settings_and_a_module():
    assert set(DRIVERS) == set(CONFIGS)


def test_every_setting_is_described_for_the_engineer():
    def undescribed(model):
        for name, field in model.model_fields.items():
            if name != "driver" and not field.description:
                yield f"{model.__name__}.{name}"
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                yield from undescribed(field.annotation)

    assert [name for model in CONFIGS.values() for name in undescribed(model)] == []


def test_everything_in_the_front_door_exists():
    assert [name for name in camera.__all__ if not hasattr(camera, name)] == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "set driver to one of virtual, folder"),
        ({"driver": "virtul"}, 'did you mean "virtual"?'),
        ({"driver": "Folder"}, 'did you mean "folder"?'),
        ({"driver": "genicam9000"}, "choose one of virtual, folder"),
        ({"driver": "virtual", "takt": 1}, "takt is not a setting, did you mean takt_s?"),
        ({"driver": "virtual", "takt_s": -1}, "takt_s (seconds from one part to the next"),
        ({"driver": "virtual", "takt_s": float("nan")}, "takt_s (seconds"),
        ({"driver": "virtual", "misbehave": {"late": {"rate": 2}}}, "misbehave.late.rate (share of the exposures"),
        ({"driver": "virtual", "misbehave": {"late": {"lat_s": 2}}}, "lat_s is not a setting, did you mean late_s?"),
        ({"driver": "virtual", "exposure_s": 0.1}, "exposure_s = 0.1 must not be longer than latency_s = 0.004"),
        ({"driver": "virtual", "trigger": "timed", "takt_s": 0.002}, "must not be longer than takt_s = 0.002"),
        ({"driver": "virtual", "pixel_format": "Mono12"}, "pixel_format ("),
        ({"driver": "folder"}, "folder (folder with PNG"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_in_one_sentence(settings, sentence):
    with pytest.raises(CameraConfigError) as told:
        open_camera(settings)
    assert sentence in str(told.value)
    assert "\n" not in str(told.value)


def test_settings_are_taken_as_a_file_gives_them():
    config = check_config({"driver": "virtual", "takt_s": 1, "misbehave": {"gone": {"at_exposures": [100]}}})
    assert config.takt_s == 1.0
    assert config.misbehave.gone.at_exposures == (100,)


def test_settings_cannot_be_changed_afterwards():
    config = check_config({"driver": "virtual"})
    with pytest.raises(ValueError, match="frozen"):
        config.takt_s = 2


def test_a_camera_is_made_without_being_opened(tmp_path):
    later = make_camera({"driver": "folder", "folder": str(tmp_path / "not yet there")})
    with pytest.raises(CameraNotFound, match="there is no folder"):
        later.open()
