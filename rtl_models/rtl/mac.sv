// SPDX-License-Identifier: Apache-2.0

/// A multiplier and an accumulator that starts at 0: sum = overflow(sum + a*b), once for every
/// enabled pair.
///
/// `clear_i` travels with the operands: with `enable_i` the pair is the first of a new sum, without
/// it the sum becomes 0. The overflow flag stays high from the first overflow of a sum until the
/// next clear. A pair is in the sum bittrue_pkg::mac_latency(MultiplyStages) cycles after it was
/// taken.
module mac
  import bittrue_pkg::*;
#(
  /// Bits of operand a.
  parameter int unsigned AWidth = 8,
  /// Bits of operand b.
  parameter int unsigned BWidth = 8,
  /// Operand a is two's complement (1) or unsigned (0).
  parameter bit ASigned = 1'b1,
  /// Operand b is two's complement (1) or unsigned (0).
  parameter bit BSigned = 1'b1,
  /// Bits of the accumulator, signed.
  parameter int unsigned AccumulatorWidth = 32,
  /// What the accumulator does past its ends.
  parameter overflow_e AccumulatorOverflow = SAT,
  /// Register stages behind the multiplier, 0 to 4.
  parameter int unsigned MultiplyStages = 1
) (
  /// Clock.
  input  logic                               clk_i,
  /// Asynchronous reset, active low: the sum becomes 0.
  input  logic                               rst_ni,
  /// High to start a new sum, of which this cycle's pair, if enabled, is the first.
  input  logic                               clear_i,
  /// High to take a pair.
  input  logic                               enable_i,
  /// Operand a.
  input  logic [AWidth-1:0]                  a_i,
  /// Operand b.
  input  logic [BWidth-1:0]                  b_i,
  /// The accumulator.
  output logic signed [AccumulatorWidth-1:0] sum_o,
  /// High if any pair since the last clear overflowed.
  output logic                               overflow_o
);

  localparam int unsigned Latency = mac_latency(MultiplyStages);
  // One more bit makes an unsigned operand a signed one of the same value.
  localparam int unsigned LeftWidth = AWidth + (ASigned ? 0 : 1);
  localparam int unsigned RightWidth = BWidth + (BSigned ? 0 : 1);
  localparam int unsigned ProductWidth = LeftWidth + RightWidth;
  localparam int unsigned ExactWidth = larger(ProductWidth, AccumulatorWidth) + 1;

  if (AWidth < 1 || AWidth > 32) $error("mac AWidth: got %0d; allowed: 1 to 32", AWidth);
  if (BWidth < 1 || BWidth > 32) $error("mac BWidth: got %0d; allowed: 1 to 32", BWidth);
  if (AccumulatorWidth < 2 || AccumulatorWidth > 64)
    $error("mac AccumulatorWidth: got %0d; allowed: 2 to 64", AccumulatorWidth);
  if (MultiplyStages > 4) $error("mac MultiplyStages: got %0d; allowed: 0 to 4", MultiplyStages);

  logic signed [LeftWidth-1:0] left;
  logic signed [RightWidth-1:0] right;
  logic signed [ProductWidth-1:0] product_d, product_q;
  logic clear_q, enable_q;

  if (ASigned) begin : gen_a_signed
    assign left = a_i;
  end else begin : gen_a_unsigned
    assign left = {1'b0, a_i};
  end
  if (BSigned) begin : gen_b_signed
    assign right = b_i;
  end else begin : gen_b_unsigned
    assign right = {1'b0, b_i};
  end
  assign product_d = ProductWidth'(left) * ProductWidth'(right);

  delay_line #(
    .Width (ProductWidth + 2),
    .Stages(Latency - 1)
  ) u_multiply (
    .clk_i,
    .rst_ni,
    .enable_i(1'b1),
    .data_i  ({clear_i, enable_i, product_d}),
    .data_o  ({clear_q, enable_q, product_q})
  );

  logic signed [AccumulatorWidth-1:0] base, sum_d, sum_q;
  logic signed [ExactWidth-1:0] exact;
  logic overflows, overflow_q;

  assign base = clear_q ? $signed(AccumulatorWidth'(0)) : sum_q;
  assign exact = ExactWidth'(base) + ExactWidth'(product_q);

  saturate #(
    .InputWidth (ExactWidth),
    .OutputWidth(AccumulatorWidth),
    .Overflow   (AccumulatorOverflow)
  ) u_overflow (
    .value_i   (exact),
    .value_o   (sum_d),
    .overflow_o(overflows)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sum_q      <= AccumulatorWidth'(0);
      overflow_q <= 1'b0;
    end else if (enable_q) begin
      sum_q      <= sum_d;
      overflow_q <= overflows | (overflow_q & ~clear_q);
    end else if (clear_q) begin
      sum_q      <= AccumulatorWidth'(0);
      overflow_q <= 1'b0;
    end
  end

  assign sum_o = sum_q;
  assign overflow_o = overflow_q;

endmodule
