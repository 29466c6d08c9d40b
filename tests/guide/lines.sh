### Process with specific providers
curl -X POST http://localhost:8000/process \
  -F "audio=@sample.wav" \
  -F "screenshot=@screen.png" \
  -F "llm_provider=gemini" \
  -F "llm_model=gemini-1.5-flash" \
  -F "vlm_provider=groq" \
  -F "vlm_model=llama-4-maverick-17b-128e-instruct"
### Chat with specific LLM
curl -X POST http://localhost:8000/chat \
  -H "Content-Type: application/json" \
  -d '{"text": "Hello", "session_id": "test"}' \
  --data-urlencode "llm_provider=gemini" \
  --data-urlencode "llm_model=gemini-2.0-flash-exp"
### Check Provider Health
curl http://localhost:8000/providers/health
### Get Provider Information
curl http://localhost:8000/providers/info
### All models
curl http://localhost:8000/providers/models
### Models for specific service
curl "http://localhost:8000/providers/models?service_type=llm"
### Models for specific provider
curl "http://localhost:8000/providers/models?provider=gemini"
### Switch Default Provider
curl -X POST http://localhost:8000/providers/switch \
  -H "Content-Type: application/json" \
  -d '{
    "service_type": "llm",
    "provider": "gemini", 
    "model": "gemini-1.5-flash"
  }'
### Test Models
curl -X POST http://localhost:8000/providers/test \
  -H "Content-Type: application/json" \
  -d '{
    "service_type": "llm",
    "provider": "gemini",
    "model": "gemini-1.5-flash", 
    "test_input": "What is AI?"
  }'
### Get Available Voices
curl http://localhost:8000/providers/voices
### Get Service Config
curl http://localhost:8000/providers/config/llm
### Set Default Model
curl -X POST "http://localhost:8000/providers/config/llm/model?model=gemini-2.0-flash-exp"
### Test specific model
curl -X POST http://localhost:8000/providers/test \
  -H "Content-Type: application/json" \
  -d '{"service_type": "llm", "provider": "gemini", "test_input": "test"}'
