/** The quantile of Student's t and the distribution function of the normal distribution. */

/** Returns P(|T| < t) for Student's t with whole degrees of freedom: formulas 26.7.3 and 26.7.4 of
 * Abramowitz and Stegun, "Handbook of Mathematical Functions". */
function centralT(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const cosine = Math.cos(angle);
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = 0;
  for (let k = isOdd ? 1 : 0; k <= degrees - 2; k += 2) {
    sum += term;
    term *= (cosine * cosine * (k + 1)) / (k + 2);
  }
  return isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}

/** Returns t such that P(|T| < t) is `level`, 0..1, by bisection. */
export function centralQuantileOfT(level: number, degrees: number): number {
  let low = 0;
  let high = 1;
  while (centralT(high, degrees) < level) high *= 2;
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (centralT(middle, degrees) < level) low = middle;
    else high = middle;
  }
}

/** Returns P(|Z| < z) for a normal Z and z of 0 to 8: formula 26.2.11, whose terms are positive. */
export function centralNormal(z: number): number {
  let term = z;
  let sum = 0;
  for (let k = 1; sum + term !== sum; k += 2) {
    sum += term;
    term *= (z * z) / (k + 2);
  }
  return 2 * sum * Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
}
