"""Logarithm and arctangent without calls or branches, so that loops over them vectorise.

The polynomials are those of FreeBSD's ``e_log.c`` and of the Cephes library's ``atan.c``. Both are accurate to about
two units in the last place, with the same bits on every machine.
"""

import numpy as np
from numba import njit

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
TAN_3_PI_8 = 2.41421356237309504880
HALF_PI_REST = 6.123233995736765886130e-17  # pi/2 minus the float next to it


@njit(cache=True, nogil=True, error_model="numpy")
def log_nb(x):
    """Natural logarithm of a positive, finite float64 that is not subnormal.

    With x = 2^e (1 + f), 1 + f within a factor sqrt(2) of 1, and s = f/(2 + f): a polynomial in s.
    """
    bits = np.float64(x).view(np.int64)
    e = (bits - SQRT_HALF_BITS) >> 52
    f = np.int64(bits - (e << 52)).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    odd = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860510658591e-01))
    )
    half = 0.5 * f * f
    return e * LN2_HIGH - ((half - (s * (half + even + odd) + e * LN2_LOW)) - f)


@njit(cache=True, nogil=True, error_model="numpy")
def arctan_of_ratio_nb(x, y):
    """Angle arctan(x/y) for y > 0, by one division to reduce the angle and one in the rational function of its rest."""
    a = abs(x)
    steep, slanted = a > TAN_3_PI_8 * y, a > 0.66 * y
    numerator = -y if steep else (a - y if slanted else a)
    denominator = a if steep else (a + y if slanted else y)
    start = 0.5 * np.pi if steep else (0.25 * np.pi if slanted else 0.0)
    rest = HALF_PI_REST if steep else (0.5 * HALF_PI_REST if slanted else 0.0)
    q = numerator / denominator
    z = q * q
    p = -8.750608600031904122785e-1 * z - 1.615753718733365076637e1
    p = ((p * z - 7.500855792314704667340e1) * z - 1.228866684490136173410e2) * z - 6.485021904942025371773e1
    d = (z + 2.485846490142306297962e1) * z + 1.650270098316988542046e2
    d = ((d * z + 4.328810604912902668951e2) * z + 4.853903996359136964868e2) * z + 1.945506571482613964425e2
    angle = start + (q * (z * p / d) + q + rest)
    return angle if x > 0.0 else -angle
