"""The plain way to build a push-to-talk assistant, for `cargo xtask bench voice --peers`: one call after the other, each with its whole answer.

Standard input has a line for each edge of the key: `press` or `release`. The line `ready` is printed at the start. The only argument is the
address of a server with OpenAI's API, whose connection is kept.
"""

import io
import subprocess
import sys
import wave

import openai

RATE = 16_000

client = openai.OpenAI(api_key="sandbox-key", base_url=sys.argv[1])
print("ready", flush=True)
while sys.stdin.readline():
    command = ["parec", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=20"]
    recorder = subprocess.Popen(command, stdout=subprocess.PIPE)
    # Waits for the release.
    sys.stdin.readline()
    recorder.terminate()
    recording = io.BytesIO()
    with wave.open(recording, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(recorder.communicate()[0])
    question = client.audio.transcriptions.create(model="gpt-transcribe", file=("question.wav", recording.getvalue()))
    answer = client.chat.completions.create(model="gpt-6-luna", messages=[{"role": "user", "content": question.text}])
    text = answer.choices[0].message.content
    speech = client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input=text, response_format="wav")
    subprocess.run(["paplay", "--latency-msec=20"], input=speech.read())
