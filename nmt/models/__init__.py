"""The recurrent encoder–decoder: equations, attention, encoder, decoder, and the whole."""
