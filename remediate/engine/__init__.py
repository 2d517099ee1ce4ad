"""The only code that knows the order of things: collect, detect, guard, bind, seal."""
