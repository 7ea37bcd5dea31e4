"""A broker that ends with its test, and clients that leave with it."""

import pytest
from broker.plant import BASE, OTHER, Plant


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    one = Plant(tmp_path_factory.mktemp("plant"))
    for words in (
        ("station", "box1", BASE),
        ("station", "box2", OTHER),
        ("reader", "reader"),
        ("consumer", "mes"),
        ("operator", "lead", "acme/north/+/+/+"),
        ("sparkplug-host", "scada"),
        ("home-assistant", "home"),
    ):
        one.account(*words)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def join(plant):
    """Connect with `join(NAME)`."""
    joined = []

    def build(name, **more):
        joined.append(plant.client(name, **more))
        return joined[-1]

    yield build
    for client in joined:
        client.close()
