declare module "virtual:formulas" {
  /** MathML of formulas by their TeX. */
  const formulas: { [tex: string]: string };
  export default formulas;
}
