// SPDX-License-Identifier: Apache-2.0

/// Brings an exact signed value into a format: WRAP, SAT or SAT_SYM. Combinational.
///
/// Into 8 signed bits, 200 becomes -56 (WRAP) or 127 (SAT, SAT_SYM), and -128 stays (WRAP, SAT) or
/// becomes -127 (SAT_SYM).
module saturate
  import bittrue_pkg::*;
#(
  /// Bits of the value, signed.
  parameter int unsigned InputWidth = 16,
  /// Bits of the result.
  parameter int unsigned OutputWidth = 8,
  /// The result is two's complement (1) or unsigned (0).
  parameter bit OutputSigned = 1'b1,
  /// What happens past the ends of the format.
  parameter overflow_e Overflow = SAT
) (
  /// The exact value.
  input  logic signed [InputWidth-1:0] value_i,
  /// The value brought into the format.
  output logic [OutputWidth-1:0]       value_o,
  /// High if that changed it.
  output logic                         overflow_o
);

  // Wide enough that there is a sign bit above the result.
  localparam int unsigned Width = larger(InputWidth, OutputWidth + 1);
  localparam int unsigned UpperBit = OutputSigned ? OutputWidth - 1 : OutputWidth;
  localparam logic [OutputWidth-1:0] Ones = {OutputWidth{1'b1}};
  localparam logic [OutputWidth-1:0] High = OutputSigned ? Ones >> 1 : Ones;
  localparam bit IsSymmetric = OutputSigned && Overflow == SAT_SYM;
  localparam logic [OutputWidth-1:0] Lowest = ~High;
  localparam logic [OutputWidth-1:0] Low = IsSymmetric ? Lowest + OutputWidth'(1'b1) : Lowest;

  if (InputWidth < 1) $error("saturate InputWidth: got %0d; allowed: at least 1", InputWidth);
  if (OutputWidth < 1) $error("saturate OutputWidth: got %0d; allowed: at least 1", OutputWidth);

  logic signed [Width-1:0] value;
  logic is_negative, is_above, is_below;

  assign value = Width'(value_i);
  assign is_negative = value[Width-1];
  assign is_above = ~is_negative & |value[Width-1:UpperBit];
  // A negative value fits if all bits from the format's sign bit up are 1; into an unsigned format
  // none does.
  if (OutputSigned) begin : gen_signed
    logic is_lowest;
    assign is_lowest = IsSymmetric & is_negative & (value[OutputWidth-1:0] == Lowest);
    assign is_below = is_lowest | (is_negative & ~&value[Width-1:UpperBit]);
  end else begin : gen_unsigned
    assign is_below = is_negative;
  end

  assign overflow_o = is_above | is_below;
  if (Overflow == WRAP) begin : gen_wrap
    assign value_o = value[OutputWidth-1:0];
  end else begin : gen_saturate
    assign value_o = is_above ? High : (is_below ? Low : value[OutputWidth-1:0]);
  end

endmodule
