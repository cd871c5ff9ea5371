// SPDX-License-Identifier: Apache-2.0

// A saturating multiply-accumulate unit in Verilog-2001, with a bug that is meant to be found: at the lower end it
// clips where the sum equals the most negative value, not only below it. The sum is right there, but the flag is not.
module mac_sat (clk, nrst, start, go, x, w, acc, ovf);

  parameter AW = 8;
  parameter BW = 8;
  parameter ACCW = 20;

  input clk, nrst, start, go;
  input [AW-1:0] x;
  input [BW-1:0] w;
  output [ACCW-1:0] acc;
  output ovf;

  wire signed [ACCW-1:0] highest = {1'b0, {(ACCW-1){1'b1}}};
  wire signed [ACCW-1:0] lowest = {1'b1, {(ACCW-1){1'b0}}};

  reg signed [AW+BW-1:0] product;
  reg first, valid;
  reg signed [ACCW-1:0] sum;
  reg flag;

  wire signed [AW-1:0] left = x;
  wire signed [BW-1:0] right = w;
  wire signed [ACCW-1:0] base = first ? {ACCW{1'b0}} : sum;
  wire signed [ACCW:0] exact = base + product;
  wire above = exact > highest;
  wire below = exact <= lowest;  // the bug: it has to be <

  always @(posedge clk or negedge nrst)
    if (!nrst) begin
      product <= 0;
      first <= 0;
      valid <= 0;
      sum <= 0;
      flag <= 0;
    end else begin
      product <= left * right;
      first <= start;
      valid <= go;
      if (valid) begin
        sum <= above ? highest : below ? lowest : exact[ACCW-1:0];
        flag <= above | below | (flag & ~first);
      end else if (first) begin
        sum <= 0;
        flag <= 0;
      end
    end

  assign acc = sum;
  assign ovf = flag;

endmodule
