"""Trace files: what is written is read back; what is no trace is refused."""

import contextlib
import dataclasses
import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from softmachine.core.errors import TraceError
from softmachine.traces.file import load_trace, trace_from_bytes
from softmachine.traces.schema import header_to_json


def parts(trace):
    """Return the arrays, and the JSON of the header as a value."""
    data = trace.to_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    return load(data), json.loads(metadata["trace"])


def join(arrays, header, version="2"):
    text = header if isinstance(header, str) else json.dumps(header)
    return save(arrays, {"softmachine_trace": version, "trace": text})


@pytest.mark.parametrize("name", ["ntm_trace", "nram_trace"])
def test_a_file_is_read_back_bit_by_bit(name, request, tmp_path):
    trace = request.getfixturevalue(name)
    trace.save(tmp_path / "it.trace")
    again = load_trace(tmp_path / "it.trace")
    assert header_to_json(again.header) == header_to_json(trace.header)
    assert again.arrays.keys() == trace.arrays.keys()
    for key, array in trace.arrays.items():
        assert again.arrays[key].dtype == array.dtype
        np.testing.assert_array_equal(again.arrays[key], array)
    assert [path.name for path in tmp_path.iterdir()] == ["it.trace"]


def test_what_was_changed_is_refused_and_what_is_the_same_is_the_same(nram_trace):
    whole = nram_trace.to_bytes()
    assert all(nram_trace.to_bytes() == whole for _ in range(9))
    rng = np.random.default_rng(0)
    for place in rng.integers(8, len(whole), 200):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(7))
        try:
            again = trace_from_bytes(bytes(changed))
        except TraceError:
            continue
        # Nothing but the name of the checksum can have been hit.
        assert header_to_json(again.header) == header_to_json(nram_trace.header)
        for key, array in nram_trace.arrays.items():
            np.testing.assert_array_equal(again.arrays[key], array)
    with pytest.raises(TraceError, match="does not match its checksum"):
        trace_from_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_every_array_of_four_bytes_is_aligned(nram_trace):
    """So that a browser can look at it where it lies."""
    data = nram_trace.to_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__" and entry["dtype"] != "U8":
            assert (8 + length + entry["data_offsets"][0]) % 4 == 0


def test_labels_stay_text(ntm_trace):
    arrays, header = parts(ntm_trace)
    evil = '</script><img src=x onerror="alert(1)">\u2028\x00'
    header["axes"]["head"]["labels"][0] = evil
    header["title"] = evil
    again = trace_from_bytes(join(arrays, header))
    assert again.header.title == evil
    assert again.header.axes["head"].labels[0] == evil
    np.testing.assert_array_equal(again.fields["memory"], ntm_trace.fields["memory"])


def test_a_file_of_version_1_says_less(ntm_trace):
    arrays, header = parts(ntm_trace)
    assert header.pop("shares") == ["perfect"]
    for field in header["fields"] + header["example"]:
        del field["aside"], field["does"]
    again = trace_from_bytes(join(arrays, header, "1"))
    fields, example = (
        tuple(dataclasses.replace(field, aside=False, does=()) for field in part)
        for part in (ntm_trace.header.fields, ntm_trace.header.example)
    )
    less = dataclasses.replace(ntm_trace.header, shares=(), fields=fields, example=example)
    assert less != ntm_trace.header
    assert header_to_json(again.header) == header_to_json(less)


@settings(
    deadline=None,
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_damaged_file_is_refused_or_still_a_trace(nram_trace, data):
    """Cut, overwritten or random: nothing but TraceError comes of it."""
    whole = nram_trace.to_bytes()
    kind = data.draw(st.sampled_from(["cut", "spoilt", "noise"]))
    if kind == "cut":
        spoilt = whole[: data.draw(st.integers(0, len(whole) - 1))]
        with pytest.raises(TraceError):
            trace_from_bytes(spoilt)
        return
    if kind == "noise":
        spoilt = data.draw(st.binary(max_size=300))
    else:
        place = data.draw(st.integers(0, min(len(whole), 6000)))
        spoilt = (
            whole[:place] + data.draw(st.binary(min_size=1, max_size=8)) + whole[place + 8 :]
        )
    with contextlib.suppress(TraceError):
        trace_from_bytes(spoilt)


def test_huge_declared_sizes_are_refused_without_taking_them(ntm_trace):
    whole = ntm_trace.to_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    head = json.loads(whole[8 : 8 + length])
    head["fields/memory"]["shape"] = [2**40, 2**20, 4]
    text = json.dumps(head).encode()
    with pytest.raises(TraceError):
        trace_from_bytes(struct.pack("<Q", len(text)) + text + whole[8 + length :])
    with pytest.raises(TraceError):
        trace_from_bytes(struct.pack("<Q", 2**63) + whole[8:])


def change(path, value):
    """Return a function that sets a place of the header."""

    def apply(header):
        *way, last = path
        for key in way:
            header = header[key]
        header[last] = value

    return apply


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (lambda h: h.pop("steps"), "steps"),
        (lambda h: h.update(extra=1), "extra"),
        (change(["size"], 3.5), "size"),
        (change(["title"], 7), "title"),
        (change(["length"], True), "length"),
        (change(["steps"], [1, 2, 2]), "must rise"),
        (change(["steps"], []), "must rise"),
        (change(["steps"], [1, 2, 99]), "must rise"),
        (change(["fields"], []), "initial"),
        (change(["fields", 0, "kind"], "html"), "kind"),
        (change(["fields", 0, "name"], "other"), "initial"),
        (change(["fields", 0, "axes"], ["cell", "nowhere"]), "unknown axis 'nowhere'"),
        (change(["fields", 0, "axes"], ["value"]), "shape"),
        (change(["fields", 0, "kind"], "integer"), "type"),
        (change(["fields", 1, "name"], "memory"), "twice"),
        (change(["axes", "cell", "size"], 10**15), "one label"),
        (change(["axes", "value", "size"], 10**15), "shape"),
        (change(["axes", "value", "size"], -1), "one label"),
        (change(["axes", "gate", "labels"], ["READ"]), "one label"),
        (change(["initial"], ["nothing"]), "initial"),
        (change(["pointers"], [6]), "pointers"),
        (change(["scores"], {"bits": "many"}), "scores"),
        (change(["shares"], ["nothing"]), "shares"),
        (change(["fields", 0, "does"], ["read"]), "no other kind"),
        (change(["fields", 0, "aside"], 1), "aside"),
        (change(["circuit", "registers"], 3), "circuit"),
        (change(["circuit", "choices", 0, "sources"], 99), "belongs to nothing"),
        (change(["circuit", "choices", 0, "gate"], None), "belongs to nothing"),
        (change(["circuit", "choices", 0, "register"], 1), "belongs to nothing"),
        (change(["circuit", "gates", 0, "arity"], 5), "arity"),
        (change(["hard", "fields", 2, "over"], None), "over"),
    ],
)  # fmt: skip
def test_a_header_that_contradicts_itself_is_refused(nram_trace, apply, message):
    arrays, header = parts(nram_trace)
    apply(header)
    with pytest.raises(TraceError, match=message):
        trace_from_bytes(join(arrays, header))


def test_every_head_says_what_it_does_or_none(ntm_trace):
    arrays, header = parts(ntm_trace)
    (weightings,) = [field for field in header["fields"] if field["does"]]
    assert weightings["does"] == ["read", "read", "write"]
    weightings["does"] = ["read"]
    with pytest.raises(TraceError, match="each of 3 what it does"):
        trace_from_bytes(join(arrays, header))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("fields/memory", None, "lacks the array 'fields/memory'"),
        ("fields/more", np.zeros(3, np.float32), "not declared"),
        ("fields/memory", np.zeros((3, 6, 6)), "type"),
        ("fields/memory", np.zeros((3, 6, 5), np.float32), "shape"),
        ("example/mask", np.full(6, 2, np.uint8), "bits other than"),
        ("hard/choices", np.full((3, 6), 6, np.int32), "points beyond"),
        ("hard/choices", np.full((3, 6), -1, np.int32), "points beyond"),
    ],
)
def test_arrays_that_are_not_those_declared_are_refused(nram_trace, name, array, message):
    arrays, header = parts(nram_trace)
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    with pytest.raises(TraceError, match=message):
        trace_from_bytes(join(arrays, header))


def test_other_files_are_refused_by_name(tmp_path, ntm_trace):
    arrays, header = parts(ntm_trace)
    contents = {
        "it is a safetensors file but no trace": save(arrays),
        "version '5'": join(arrays, header, "5"),
        "is no JSON": join(arrays, "{"),
        "not that of a trace": join(arrays, "[]"),
        "damaged or no trace": b"PK\x03\x04 a zip file",
    }
    path = tmp_path / "it.trace"
    for message, content in contents.items():
        path.write_bytes(content)
        with pytest.raises(TraceError, match=message) as error:
            load_trace(path)
        assert str(path) in str(error.value)
    with pytest.raises(TraceError, match="No such file"):
        load_trace(tmp_path / "none")
    with pytest.raises(TraceError, match="Is a directory"):
        load_trace(tmp_path)


def test_json_nested_without_end_is_refused(ntm_trace):
    arrays, _ = parts(ntm_trace)
    with pytest.raises(TraceError):
        trace_from_bytes(join(arrays, "[" * 100_000))


def test_a_place_that_cannot_be_written_is_an_error(tmp_path, ntm_trace):
    with pytest.raises(TraceError, match="cannot write"):
        ntm_trace.save(tmp_path / "no" / "it.trace")
