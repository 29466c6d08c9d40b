import httpx

async def test_gemini_intent():
    async with httpx.AsyncClient() as client:
        response = await client.post(
            "http://localhost:8000/chat",
            json={
                "text": "Open WhatsApp and send a message to John",
                "session_id": "test-gemini"
            },
            params={
                "llm_provider": "gemini",
                "llm_model": "gemini-1.5-pro-latest"
            }
        )
        return response.json()
