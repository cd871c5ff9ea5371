// SPDX-License-Identifier: Apache-2.0

/// Cuts bits off a value and rounds, unbounded: value * 2^-Cut. Combinational, one adder.
///
/// With Cut = 2, the value -5 (that is -1.25) becomes -2 (TO_NEG, TO_AWAY) or -1 (TO_POS, TO_ZERO
/// and all nearest modes). STOCHASTIC adds the random field below the cut, its top bit in line with
/// the top bit cut off, and drops what is below; a field shorter than the cut is, when centred,
/// followed by a 1.
module round_shift
  import bittrue_pkg::*;
#(
  /// Bits of the value.
  parameter int unsigned InputWidth = 16,
  /// The value is two's complement (1) or unsigned (0).
  parameter bit InputSigned = 1'b1,
  /// Bits to cut; negative or 0 for an exact left shift. It may exceed the width.
  parameter int Cut = 8,
  /// How.
  parameter rounding_e Rounding = TIES_EVEN,
  /// Bits of the random field, 1 to 32 for the stochastic modes, 0 for all others.
  parameter int unsigned RandomBits = 0,
  /// For STOCHASTIC with fewer random bits than bits cut: add half a step of the random field.
  parameter bit Centered = 1'b1,
  /// Dependent, do not change: bits of the random field's port, and of the result.
  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits,
  localparam int unsigned RoundedWidth = rounded_width(InputWidth, InputSigned, Cut)
) (
  /// The value.
  input  logic [InputWidth-1:0]          value_i,
  /// Random field, unsigned.
  input  logic [FieldWidth-1:0]          random_i,
  /// The rounded value.
  output logic signed [RoundedWidth-1:0] value_o
);

  localparam int unsigned SignedWidth = InputWidth + (InputSigned ? 0 : 1);
  localparam int unsigned LeastBits = is_stochastic(Rounding) ? 1 : 0;
  localparam int unsigned MostBits = is_stochastic(Rounding) ? 32 : 0;

  if (InputWidth < 1) $error("round_shift InputWidth: got %0d; allowed: at least 1", InputWidth);
  if (RandomBits < LeastBits || RandomBits > MostBits)
    $error(
        "round_shift RandomBits: got %0d; allowed: %0d to %0d with this Rounding",
        RandomBits,
        LeastBits,
        MostBits
    );

  logic signed [SignedWidth-1:0] value;
  if (InputSigned) begin : gen_value_signed
    assign value = value_i;
  end else begin : gen_value_unsigned
    assign value = {1'b0, value_i};
  end

  logic unused_random;
  assign unused_random = ^random_i;

  if (Cut <= 0) begin : gen_exact
    logic signed [RoundedWidth-1:0] shifted;
    assign shifted = RoundedWidth'(value) <<< -Cut;
    assign value_o = Rounding == JAM ? shifted | $signed(RoundedWidth'(1)) : shifted;

  end else begin : gen_cut
    localparam int unsigned CutBits = unsigned'(Cut);
    localparam int unsigned ExactWidth = larger(SignedWidth, CutBits + 1);
    localparam int unsigned FloorWidth = ExactWidth - CutBits;

    logic signed [ExactWidth-1:0] exact;
    assign exact = ExactWidth'(value);

    if (Rounding == STOCHASTIC) begin : gen_stochastic
      logic [CutBits-1:0] addend;
      logic signed [ExactWidth:0] sum;

      if (RandomBits >= CutBits) begin : gen_top
        assign addend = random_i[RandomBits-1-:CutBits];
      end else begin : gen_short
        localparam int unsigned Step = CutBits - RandomBits;
        localparam logic [Step-1:0] HalfStep = Centered ? Step'(1) << (Step - 1) : Step'(0);
        assign addend = {random_i, HalfStep};
      end

      // The field is unsigned: a zero above it keeps the sum signed.
      assign sum = (ExactWidth+1)'(exact) + (ExactWidth+1)'($signed({1'b0, addend}));
      assign value_o = sum[ExactWidth:CutBits];

      logic unused_rest;
      assign unused_rest = ^sum[CutBits-1:0];

    end else begin : gen_increment
      localparam logic [CutBits-1:0] Half = CutBits'(1) << (CutBits - 1);

      logic signed [FloorWidth-1:0] floor;
      logic [CutBits-1:0] rest;
      logic guard, sticky, is_negative, is_odd, is_inexact, is_tie, is_above, up;

      assign floor = exact[ExactWidth-1:CutBits];
      assign rest = exact[CutBits-1:0];
      assign is_negative = exact[ExactWidth-1];
      assign is_odd = floor[0];
      // The half, and whether there is anything below it
      assign guard = rest[CutBits-1];
      assign sticky = |(rest & ~Half);
      assign is_inexact = guard | sticky;
      assign is_tie = guard & ~sticky;
      assign is_above = guard & sticky;

      always_comb begin
        unique case (Rounding)
          TO_NEG:           up = 1'b0;
          TO_POS:           up = is_inexact;
          TO_ZERO:          up = is_inexact & is_negative;
          TO_AWAY:          up = is_inexact & ~is_negative;
          TIES_EVEN:        up = is_above | (is_tie & is_odd);
          TIES_ODD:         up = is_above | (is_tie & ~is_odd);
          TIES_AWAY:        up = is_above | (is_tie & ~is_negative);
          TIES_ZERO:        up = is_above | (is_tie & is_negative);
          TIES_POS:         up = is_above | is_tie;
          TIES_NEG:         up = is_above;
          TRN_MAG:          up = is_negative;
          JAM:              up = ~is_odd;
          JAM_UNBIASED:     up = is_inexact & ~is_odd;
          STOCHASTIC_EQUAL: up = is_inexact & random_i[FieldWidth-1];
          default:          up = 1'b0;
        endcase
      end

      assign value_o = RoundedWidth'(floor) + RoundedWidth'($signed({1'b0, up}));
    end
  end

endmodule
