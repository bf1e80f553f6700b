"""The compiler: model file -> plan."""
