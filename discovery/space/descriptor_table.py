"""Which descriptors of a molecule are used, and fixed numbers that bring them into the unit interval.

Constitution, polarity, lipophilicity and shape, then surface area by contribution to lipophilicity (12 bins), to
refractivity (10) and by charge (14). `CENTER` is the median and `SPREAD` half of the middle two thirds (at least half
a standard deviation) over the 35,633 molecules of `data/chembl`: inputs only, fixed, so that the encoding of a
molecule never depends on the campaign that it stands in.
"""

from __future__ import annotations

import numpy as np

# fmt: off
PROPERTIES = (  # names of `rdkit.Chem.rdMolDescriptors.Properties`
    "amw", "NumRotatableBonds", "NumHBD", "NumHBA", "NumHeavyAtoms", "NumHeteroatoms", "NumAmideBonds",
    "FractionCSP3", "NumRings", "NumAromaticRings", "NumAliphaticRings", "NumSaturatedRings", "NumHeterocycles",
    "NumAromaticHeterocycles", "NumAliphaticHeterocycles", "NumSpiroAtoms", "NumBridgeheadAtoms",
    "NumAtomStereoCenters", "tpsa", "CrippenClogP", "CrippenMR", "chi0v", "chi1v", "hallKierAlpha", "kappa1",
)
CENTER = np.array([
    428.8, 6, 1, 5, 31, 7, 1, 0.3667, 4, 3, 1, 1, 2, 1, 1, 0, 0, 0, 67.65, 3.993, 118, 17.89, 10.88, -2.79,
    20.76, 9.637, 43.03, 11.16, 5.817, 31.25, 48.66, 0, 10.57, 0, 5.687, 0, 0, 13.17, 0, 10.22, 0, 32.04, 19.76,
    63.13, 0, 5.75, 21.62, 14.54, 4.992, 4.795, 0, 0, 29.8, 50.53, 29.46, 12.29, 6.104, 0, 0, 0, 0,
])
SPREAD = np.array([
    93.17, 3, 1.5, 2, 6.5, 3, 0.765, 0.1656, 1, 1, 1, 1, 1, 1, 1, 0.1444, 0.3772, 1.012, 37.15, 1.485, 23.62,
    3.732, 2.391, 0.985, 4.847, 5.438, 19.18, 10.68, 6.421, 19.23, 21.51, 2.511, 9.114, 1, 6.586, 5.75, 5.881,
    9.188, 0.9681, 7.642, 5.455, 22.09, 16.36, 26.02, 1, 8.503, 14.35, 6.205, 7.244, 4.984, 2.988, 2.549, 20.36,
    21.19, 16.12, 9.636, 8.81, 5.402, 4.919, 2.954, 3.016,
])
# fmt: on

N_DESCRIPTORS = len(CENTER)
