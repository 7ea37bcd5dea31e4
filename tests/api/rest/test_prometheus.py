"""The text in which metrics are shown, to the letter."""

from appliance.dataplane import Metrics


def shown(metrics, name):
    lines = metrics.render().splitlines()
    begin = lines.index(next(one for one in lines if one.startswith(f"# TYPE {name} ")))
    block = [lines[begin]]
    for line in lines[begin + 1 :]:
        if line.startswith("#"):
            break
        block.append(line)
    return block


def test_names_and_labels_become_what_prometheus_allows():
    metrics = Metrics()
    metrics.count("/test/path/total", 2, **{"my-name+1": 'a"b\\'})
    metrics.count("0/path-total_count", 3, x="abc")
    metrics.gauge("/test/gauge", 5, x="abc", y="def")
    metrics.gauge("/test/text", "some-uuid", x="abc")
    assert shown(metrics, ":test:path:total")[1] == ':test:path:total{my_name_1="a\\"b\\\\"} 2'
    assert shown(metrics, "_0:path:total_count")[1] == '_0:path:total_count{x="abc"} 3'
    assert shown(metrics, ":test:gauge") == ["# TYPE :test:gauge gauge", ':test:gauge{x="abc",y="def"} 5']
    assert shown(metrics, ":test:text")[1] == ':test:text{x="abc"} some-uuid'


def test_a_sample_equal_to_a_bound_counts_behind_it():
    metrics = Metrics()
    for value in (2, 20, 200):
        metrics.sample("/h", value, [1, 2, 4, 256, 1e7], status="good")
    assert shown(metrics, ":h") == [
        "# TYPE :h histogram",
        ':h_bucket{status="good",le="1"} 0',
        ':h_bucket{status="good",le="2"} 0',
        ':h_bucket{status="good",le="4"} 1',
        ':h_bucket{status="good",le="256"} 3',
        ':h_bucket{status="good",le="1e+07"} 3',
        ':h_bucket{status="good",le="+Inf"} 3',
        ':h_sum{status="good"} 222',
        ':h_count{status="good"} 3',
    ]
