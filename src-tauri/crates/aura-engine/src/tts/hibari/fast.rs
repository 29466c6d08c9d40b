//! Elementary functions without branches, so that the compiler computes several values at once. Their error is below 1e-6, which no ear
//! hears.

/// Adding and subtracting it rounds to a whole number, ties to even.
const ROUND: f32 = 12_582_912.0;

/// e to the power of `x`; 0 for very small `x`, and as for 88 above that.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    let y = x.clamp(-87.0, 88.0) * std::f32::consts::LOG2_E;
    let shifted = y + ROUND;
    let f = y - (shifted - ROUND);
    // 2 to the power of f, -0.5 to 0.5, by its Taylor series.
    let p = 1.0
        + f * (std::f32::consts::LN_2
            + f * (0.240_226_5
                + f * (0.055_504_11 + f * (0.009_618_129 + f * (0.001_333_355_8 + f * 0.000_154_035_3)))));
    let whole = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    f32::from_bits(p.to_bits().wrapping_add(whole << 23))
}

/// The hyperbolic tangent.
#[inline]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x.clamp(-20.0, 20.0)) + 1.0)
}

/// Sine and cosine of an angle in turns.
#[inline]
pub(super) fn sin_cos_turns(turns: f32) -> (f32, f32) {
    let r = turns - ((turns + ROUND) - ROUND);
    let half = 0.5_f32.copysign(r);
    let near = if r.abs() > 0.25 { half - r } else { r };
    (quarter_sine(near), quarter_sine(0.25 - r.abs()))
}

/// Sine of an angle from -0.25 to 0.25 turns, by its Taylor series.
#[inline]
fn quarter_sine(turns: f32) -> f32 {
    let x = turns * std::f32::consts::TAU;
    let s = x * x;
    x * (1.0
        + s * (-1.0 / 6.0
            + s * (1.0 / 120.0 + s * (-1.0 / 5_040.0 + s * (1.0 / 362_880.0 + s * (-1.0 / 39_916_800.0))))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_close_to_exact_ones() {
        for step in -4_000..4_000_i16 {
            let x = f32::from(step) / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= 2e-6 * exact, "exp {x}");
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 1e-6, "tanh {x}");
            let (sin, cos) = sin_cos_turns(x);
            let (exact_sin, exact_cos) = (f64::from(x) * std::f64::consts::TAU).sin_cos();
            assert!((f64::from(sin) - exact_sin).abs() < 1e-6 && (f64::from(cos) - exact_cos).abs() < 1e-6, "{x}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite());
    }
}
