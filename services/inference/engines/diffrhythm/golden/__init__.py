"""Compares the network with values that the reference implementation gave.

    python -m services.inference.engines.diffrhythm.golden FOLDER --salt a:

runs every file of FOLDER: `*.npz` with inputs and outputs, `weights_check_NAME.json` with the
sizes of the network whose name the file's name holds and sums of its weights. Weights are
synthetic, made from their names and the salt. Exits with 1 if an array is off by more than
its tolerance.
"""
