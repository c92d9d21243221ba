"""Go's ways with text, numbers and time, as docker's output and messages show them: below all other rooms, one of each."""
