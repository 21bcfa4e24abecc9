"""The denoisers: masked-diffusion transformers on characters, trained once with torch, run with numpy."""
