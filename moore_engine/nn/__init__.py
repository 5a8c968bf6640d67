"""Networks with hand-written gradients over flat parameter buffers."""
