"""A push-to-talk assistant made with Pipecat, for `cargo xtask bench voice --peers`.

Standard input has a line for each edge of the key: `press` or `release`. The line `ready` is printed when the microphone is open. The only
argument is the address of a server with OpenAI's API. It is set up for speed: the end of a turn is the key alone, with the shortest wait for
a transcript; sound is handed over in pieces of 10 ms instead of 40; no silence is appended to the recording.
"""

import asyncio
import sys

from loguru import logger
from pipecat.frames.frames import (
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams
from pipecat.turns.user_start import ExternalUserTurnStartStrategy
from pipecat.turns.user_stop import ExternalUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

KEY = "sandbox-key"


class Key(FrameProcessor):
    """Passes everything on, and adds the edges of the key."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)

    async def press(self):
        await self.push_frame(VADUserStartedSpeakingFrame())
        await self.push_frame(UserStartedSpeakingFrame())

    async def release(self):
        await self.push_frame(VADUserStoppedSpeakingFrame())
        await self.push_frame(UserStoppedSpeakingFrame())


async def follow(key, worker):
    """Reads the edges until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)
    while line := (await reader.readline()).decode().strip():
        await (key.press() if line == "press" else key.release())
    await worker.cancel()


async def main():
    server = {"api_key": KEY, "base_url": sys.argv[1]}
    transport = LocalAudioTransport(
        LocalAudioTransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_10ms_chunks=1)
    )
    context = LLMContext([{"role": "system", "content": "Answer in one or two sentences."}])
    turns = UserTurnStrategies(
        start=[ExternalUserTurnStartStrategy()], stop=[ExternalUserTurnStopStrategy(timeout=0.005)]
    )
    aggregators = LLMContextAggregatorPair(context, user_params=LLMUserAggregatorParams(user_turn_strategies=turns))
    key = Key()
    pipeline = Pipeline(
        [
            transport.input(),
            key,
            OpenAISTTService(**server, trailing_silence_secs=0, settings=OpenAISTTService.Settings(model="gpt-transcribe")),
            aggregators.user(),
            OpenAILLMService(**server, settings=OpenAILLMService.Settings(model="gpt-6-luna")),
            OpenAITTSService(**server, settings=OpenAITTSService.Settings(voice="alloy")),
            transport.output(),
            aggregators.assistant(),
        ]
    )
    worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=16000, audio_out_sample_rate=24000), idle_timeout_secs=None
    )

    following = []

    @worker.event_handler("on_pipeline_started")
    async def begin(worker, frame):
        following.append(asyncio.create_task(follow(key, worker)))

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


logger.remove()
logger.add(sys.stderr, level="WARNING")
asyncio.run(main())
