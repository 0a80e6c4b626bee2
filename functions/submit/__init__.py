"""SubmitFunction: a dropped recording becomes a transcription job at AssemblyAI."""
