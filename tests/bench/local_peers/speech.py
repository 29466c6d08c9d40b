"""Speech of aura-engine beside other programs with the same weights, in one run. `cargo xtask bench local` calls it.

    pip install --requirement tests/bench/local_peers/requirements.txt
    AURA_MODELS=target/models python tests/bench/local_peers/speech.py target/release/aura-engine FOLDER [ROUNDS]

FOLDER has the CTranslate2 files from which `aura-engine convert-whisper` made whisper-base: model.bin, config.json, tokenizer.json.
Every program gets two threads. In each round every program hears each recording and speaks each text once, one program after the other;
the first round warms up and is not counted. The tables have the load time, the medians of the time and of the processor time, and the
peak memory.
"""

import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import time
import wave

SPEECH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "speech")
RECORDINGS = [("question (3 s)", "jfk.wav", 3), ("beckett.wav", "beckett.wav", None), ("two_cities.wav", "two_cities.wav", None)]
TEXTS = [
    ("a sentence", "The train station is at the end of this street."),
    ("three sentences", "It is going to rain today. Take a coat with you, and leave an hour early. The last train leaves at nine."),
]
THREADS = 2


def find(folder, name):
    for where, _, files in sorted(os.walk(folder)):
        for file in sorted(files):
            if file.startswith(name):
                return os.path.join(where, file)
    sys.exit(f"there is no {name} in {folder}")


def recording(file, seconds):
    with wave.open(os.path.join(SPEECH, file)) as audio:
        return audio.readframes(seconds * 16_000 if seconds else audio.getnframes())


class Aura:
    """aura-engine, over its frames."""

    def __init__(self, program, models, engine, files):
        load = {
            "request": "load",
            "engine": engine,
            "files": files,
            "onnx_runtime": find(models, "libonnxruntime.so"),
            "espeak": shutil.which("espeak-ng"),
            "threads": THREADS,
        }
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.send(load)
        event, _ = self.event()
        assert event["event"] == "ready", event

    def send(self, request, payload=b""):
        text = json.dumps(request).encode()
        self.process.stdin.write(struct.pack("<II", len(text), len(payload)) + text + payload)
        self.process.stdin.flush()

    def event(self):
        text, payload = struct.unpack("<II", self.process.stdout.read(8))
        event = json.loads(self.process.stdout.read(text))
        assert event["event"] not in ("failed", "load_failed"), event
        return event, len(self.process.stdout.read(payload))

    def hear(self, pcm):
        self.send({"request": "transcribe", "id": 1, "language": None, "prompt": None, "translate": False, "words": False}, pcm)
        event, _ = self.event()
        self.event()
        return event["text"]

    def speak(self, text):
        """Yields the seconds of each piece of speech."""
        self.send({"request": "speak", "id": 1, "text": text, "voice": "", "language": "en", "speed": 1.0})
        while True:
            event, size = self.event()
            if event["event"] == "end":
                return
            if event["event"] == "audio":
                yield size / 2 / event["rate"]


class Peer:
    """Another program: this script with a name of `PEERS`."""

    def __init__(self, name, folder):
        command = [sys.executable, os.path.abspath(__file__), "--peer", name, folder]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def send(self, data):
        self.process.stdin.write(struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()

    def hear(self, pcm):
        self.send(pcm)
        return json.loads(self.process.stdout.readline())

    def speak(self, text):
        """Yields the seconds of each piece of speech."""
        self.send(text.encode())
        while (seconds := json.loads(self.process.stdout.readline())) is not None:
            yield seconds


def faster_whisper(folder):
    import faster_whisper
    import numpy

    model = faster_whisper.WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=THREADS)

    def hear(pcm):
        samples = numpy.frombuffer(pcm, numpy.int16).astype(numpy.float32) / 32768
        segments, _ = model.transcribe(samples, beam_size=1)
        return " ".join(segment.text.strip() for segment in segments)

    return hear


def moonshine(folder):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    sessions = [onnxruntime.InferenceSession(find(folder, name), options) for name in ("encoder_model", "decoder_model_merged")]
    encoder, decoder = sessions
    past = [given.name for given in decoder.get_inputs() if given.name.startswith("past_key_values.")]
    shape = next(given.shape for given in decoder.get_inputs() if given.name == past[0])
    returned = [output.name for output in decoder.get_outputs()]

    def piece(samples):
        ones = numpy.ones((1, len(samples)), numpy.int64)
        states = encoder.run(None, {"input_values": samples[None], "attention_mask": ones})[0]
        cache = {name: numpy.zeros((1, shape[1], 0, shape[3]), numpy.float32) for name in past}
        tokens = [1]
        while tokens[-1] != 2 and len(tokens) < len(samples) * 13 // 16_000:
            given = {"input_ids": numpy.array([tokens[-1:]], numpy.int64), "encoder_hidden_states": states}
            given |= {"encoder_attention_mask": ones, "use_cache_branch": numpy.array([len(tokens) > 1])} | cache
            outputs = dict(zip(returned, decoder.run(None, given)))
            for name in past:
                if len(tokens) == 1 or ".decoder." in name:
                    cache[name] = outputs[name.replace("past_key_values", "present")]
            tokens.append(int(outputs["logits"][0, -1].argmax()))
        return len(tokens)

    def hear(pcm):
        samples = numpy.frombuffer(pcm, numpy.int16).astype(numpy.float32) / 32768
        # It cuts anywhere: the number of tokens is what counts here.
        return [piece(samples[at : at + 400_000]) for at in range(0, len(samples), 400_000)]

    return hear


def hibari(_):
    from hibari import Hibari

    voice = Hibari(threads=THREADS)
    return lambda text: (len(samples) / voice.sample_rate for samples in voice.stream(text.decode()))


def piper(folder):
    from piper import PiperVoice

    voice = PiperVoice.load(find(folder, "en_US-joe-medium.onnx"))

    def speak(text):
        for piece in voice.synthesize(text.decode()):
            yield len(piece.audio_int16_bytes) / 2 / piece.sample_rate

    return speak


LISTENERS = {"faster-whisper int8": faster_whisper, "onnxruntime (Python)": moonshine}
SPEAKERS = {"hibari-tts (Python)": hibari, "piper-tts (Python)": piper}


def serve(name, folder):
    work = (LISTENERS | SPEAKERS)[name](folder)
    print("ready", flush=True)
    while head := sys.stdin.buffer.read(4):
        result = work(sys.stdin.buffer.read(*struct.unpack("<I", head)))
        if name in LISTENERS:
            print(json.dumps(result), flush=True)
            continue
        for seconds in result:
            print(json.dumps(seconds), flush=True)
        print("null", flush=True)


def processor_time(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))


def start(makers):
    """Starts the programs. Returns them, and their load times in seconds."""
    programs, loads = {}, {}
    for name, make in makers.items():
        started = time.monotonic()
        programs[name] = make()
        loads[name] = time.monotonic() - started
    return programs, loads


def end(programs):
    for one in programs.values():
        one.process.stdin.close()
        one.process.wait()


def table(programs, loads, columns, cell):
    print("| Model, program | Load | Peak memory | " + " | ".join(columns) + " |")
    print("|---|---|---|" + "---|" * len(columns))
    for name, one in programs.items():
        cells = [cell(name, column) for column in columns]
        print(f"| {name} | {loads[name]:.2f} s | {peak_memory(one.process)} MB | " + " | ".join(cells) + " |", flush=True)
    print()


def listen(makers, rounds):
    programs, loads = start(makers)
    times = {}
    for turn in range(rounds + 1):
        for title, file, seconds in RECORDINGS:
            pcm = recording(file, seconds)
            for name, one in programs.items():
                before, started = processor_time(one.process), time.monotonic()
                one.hear(pcm)
                took = time.monotonic() - started
                if turn:
                    times.setdefault((name, title), []).append((took, processor_time(one.process) - before, len(pcm) / 32_000))

    def cell(name, title):
        took, processor, length = (statistics.median(column) for column in zip(*times[name, title]))
        return f"{took:.2f} s ({took / length:.3f} of its length; {processor:.2f} s of processor time)"

    table(programs, loads, [title for title, _, _ in RECORDINGS], cell)
    end(programs)


def speak(makers, rounds):
    programs, loads = start(makers)
    times = {}
    for turn in range(rounds + 1):
        for title, text in TEXTS:
            for name, one in programs.items():
                started, first, length = time.monotonic(), None, 0.0
                for seconds in one.speak(text):
                    first = first or time.monotonic() - started
                    length += seconds
                took = time.monotonic() - started
                if turn:
                    times.setdefault((name, title), []).append((first, took, length))

    def cell(name, title):
        first, took, length = (statistics.median(column) for column in zip(*times[name, title]))
        return f"first sound {first * 1000:.0f} ms, whole {took:.2f} s ({took / length:.3f} of its length)"

    table(programs, loads, [title for title, _ in TEXTS], cell)
    end(programs)


def main(program, folder, rounds=5):
    models = os.environ["AURA_MODELS"]
    own = lambda model: os.path.join(models, model)

    def recogniser(engine, model):
        files = {"encoder": "encoder_model", "decoder": "decoder_model_merged", "tokenizer": "tokenizer"}
        return Aura(program, models, engine, {role: find(own(model), name) for role, name in files.items()})

    listen(
        {
            "moonshine-tiny-en, aura-engine": lambda: recogniser("moonshine", "moonshine-tiny-en"),
            "moonshine-tiny-en, onnxruntime (Python)": lambda: Peer("onnxruntime (Python)", own("moonshine-tiny-en")),
            "whisper-base, aura-engine": lambda: recogniser("whisper", "whisper-base"),
            "whisper-base, faster-whisper int8": lambda: Peer("faster-whisper int8", folder),
        },
        int(rounds),
    )
    hibari = {name: find(own("hibari-en"), name) for name in os.listdir(own("hibari-en")) if name != "installed.json"}
    joe = {"model": find(own("piper-en-us-joe"), "en_US-joe-medium.onnx"), "config": find(own("piper-en-us-joe"), "en_US-joe-medium.onnx.json")}
    speak(
        {
            "hibari-en, aura-engine": lambda: Aura(program, models, "hibari", hibari),
            "hibari-en, hibari-tts (Python)": lambda: Peer("hibari-tts (Python)", own("hibari-en")),
            "piper-en-us-joe, aura-engine": lambda: Aura(program, models, "piper", joe),
            "piper-en-us-joe, piper-tts (Python)": lambda: Peer("piper-tts (Python)", own("piper-en-us-joe")),
        },
        int(rounds),
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        serve(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
