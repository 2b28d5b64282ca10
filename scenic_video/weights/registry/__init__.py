"""The public checkpoints of the field by their names here: addresses, sizes, licences."""
