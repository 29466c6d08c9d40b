# If Groq is down, automatically tries Gemini for LLM tasks
response = await client.post(
    "http://localhost:8000/chat",
    json={"text": "Hello", "session_id": "test"}
    # No provider specified - uses defaults with automatic failover
)
