# Use Gemini for intent analysis, Groq for vision
async def process_with_mixed_providers():
    files = {
        "audio": ("audio.wav", audio_data, "audio/wav"),
        "screenshot": ("screen.png", image_data, "image/png"),
        "llm_provider": (None, "gemini"),
        "llm_model": (None, "gemini-1.5-flash"),
        "vlm_provider": (None, "groq"),
        "vlm_model": (None, "llama-4-maverick-17b-128e-instruct")
    }
    
    async with httpx.AsyncClient() as client:
        response = await client.post(
            "http://localhost:8000/process",
            files=files
        )
        return response.json()
