// SPDX-License-Identifier: Apache-2.0

// Rounds to the nearest, ties to the even neighbour, and saturates: three register stages, which `ce`
// moves on, and an active-high synchronous reset. A unit as it may come from elsewhere.
module rounder #(
  parameter int DinW  = 16,
  parameter int DoutW = 8,
  parameter int Shift = 4
) (
  input  logic             clk,
  input  logic             rst,
  input  logic             ce,
  input  logic [DinW-1:0]  din,
  output logic [DoutW-1:0] dout,
  output logic             clipped
);

  localparam int WholeW = DinW - Shift + 1;
  localparam logic signed [WholeW-1:0] Top = WholeW'((1 << (DoutW - 1)) - 1);
  localparam logic signed [WholeW-1:0] Bottom = -Top - 1;

  logic signed [DinW-1:0] taken_q;
  logic signed [WholeW-1:0] rounded_d, rounded_q;
  logic guard, sticky, above, below;

  assign guard = taken_q[Shift-1];
  assign sticky = |taken_q[Shift-2:0] | taken_q[Shift];
  assign rounded_d = WholeW'(taken_q >>> Shift) + $signed({{(WholeW - 1) {1'b0}}, guard & sticky});
  assign above = rounded_q > Top;
  assign below = rounded_q < Bottom;

  always_ff @(posedge clk) begin
    if (rst) begin
      taken_q   <= '0;
      rounded_q <= '0;
      dout      <= '0;
      clipped   <= 1'b0;
    end else if (ce) begin
      taken_q   <= din;
      rounded_q <= rounded_d;
      dout      <= above ? Top[DoutW-1:0] : below ? Bottom[DoutW-1:0] : rounded_q[DoutW-1:0];
      clipped   <= above | below;
    end
  end

endmodule
